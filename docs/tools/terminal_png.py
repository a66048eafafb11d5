#!/usr/bin/env python3
"""Renders what a terminal shows to a PNG: `tmux capture-pane -p -e | terminal_png.py out.png [--light]`.

Needs Pillow and a monospaced font with block and braille characters (DejaVu Sans Mono and Symbola or
FreeMono as a fallback for braille). Reads SGR sequences; everything else has been interpreted by tmux.
"""
import re
import sys

from PIL import Image, ImageDraw, ImageFont

FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono{}.ttf"
SIZE, WIDTH, HEIGHT = 15, 9, 18
BASE = ["000000", "cd3131", "0dbc79", "e5e510", "2472c8", "bc3fbc", "11a8cd", "e5e5e5",
        "666666", "f14c4c", "23d18b", "f5f543", "3b8eea", "d670d6", "29b8db", "ffffff"]


def rgb(text):
    return tuple(int(text[i:i + 2], 16) for i in (0, 2, 4))


def indexed(n):
    if n < 16:
        return rgb(BASE[n])
    if n >= 232:
        return (8 + (n - 232) * 10,) * 3
    n -= 16
    return tuple(0 if v == 0 else 55 + v * 40 for v in (n // 36, n // 6 % 6, n % 6))


def cells(line, style, default):
    """Characters of a line with their styles; `style` goes on into the next line, as tmux writes it."""
    for part in re.split(r"(\x1b\[[0-9;:]*m)", line):
        found = re.fullmatch(r"\x1b\[([0-9;:]*)m", part)
        if not found:
            for char in part:
                yield char, dict(style)
            continue
        codes = [int(c or 0) for c in re.split("[;:]", found.group(1))]
        while codes:
            code = codes.pop(0)
            if code == 0:
                style.clear()
                style.update(default)
            elif code in (1, 2, 3, 4, 7):
                style[{1: "bold", 2: "dim", 3: "italic", 4: "under", 7: "reverse"}[code]] = True
            elif code in (22, 24, 27):
                for name in {22: ("bold", "dim"), 24: ("under",), 27: ("reverse",)}[code]:
                    style[name] = False
            elif code in (38, 48):
                kind = codes.pop(0)
                color = indexed(codes.pop(0)) if kind == 5 else tuple(codes.pop(0) for _ in range(3))
                style["fg" if code == 38 else "bg"] = color
            elif code in (39, 49):
                key = "fg" if code == 39 else "bg"
                style[key] = default[key]
            elif 30 <= code <= 37 or 90 <= code <= 97:
                style["fg"] = indexed(code - 30 if code < 90 else code - 82)
            elif 40 <= code <= 47 or 100 <= code <= 107:
                style["bg"] = indexed(code - 40 if code < 100 else code - 92)


def braille(draw, x, y, char, color):
    dots = ord(char) - 0x2800
    places = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]
    for bit, (column, row) in enumerate(places):
        if dots >> bit & 1:
            left, top = x + 1 + column * 4, y + 2 + row * 4
            draw.rectangle([left, top, left + 2, top + 2], fill=color)


def main():
    light = "--light" in sys.argv
    default = {"fg": (40, 40, 40) if light else (220, 220, 220), "bg": (255, 255, 255) if light else (16, 18, 24)}
    lines = sys.stdin.read().rstrip("\n").split("\n")
    style = dict(default)
    rows = [list(cells(line, style, default)) for line in lines]
    image = Image.new("RGB", (max(map(len, rows)) * WIDTH, len(rows) * HEIGHT), default["bg"])
    draw = ImageDraw.Draw(image)
    fonts = {bold: ImageFont.truetype(FONT.format("-Bold" if bold else ""), SIZE) for bold in (False, True)}
    for row, line in enumerate(rows):
        for column, (char, style) in enumerate(line):
            fg, bg = style["fg"], style["bg"]
            if style.get("reverse"):
                fg, bg = bg, fg
            if style.get("dim"):
                fg = tuple((a + b) // 2 for a, b in zip(fg, bg))
            x, y = column * WIDTH, row * HEIGHT
            if bg != default["bg"]:
                draw.rectangle([x, y, x + WIDTH - 1, y + HEIGHT - 1], fill=bg)
            if 0x2800 <= ord(char) <= 0x28FF:
                braille(draw, x, y, char, fg)
            elif char.strip():
                draw.text((x, y), char, fill=fg, font=fonts[bool(style.get("bold"))])
            if style.get("under"):
                draw.line([x, y + HEIGHT - 2, x + WIDTH, y + HEIGHT - 2], fill=fg)
    image.save(next(a for a in sys.argv[1:] if not a.startswith("--")))


if __name__ == "__main__":
    main()
