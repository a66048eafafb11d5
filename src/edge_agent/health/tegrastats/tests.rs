//! What each line of `tests/fixtures/jetson/tegrastats.txt` says, worked out by hand.

use proptest::prelude::*;

use super::*;
use crate::station::Machine;
use crate::station::machine;

const SAMPLES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/jetson/tegrastats.txt"));

/// The sample lines without their comments.
fn samples() -> Vec<&'static str> {
    SAMPLES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// The sample that holds `text`, read; no other does.
fn sample(text: &str) -> Line {
    let found: Vec<_> = samples().into_iter().filter(|line| line.contains(text)).collect();
    assert_eq!(found.len(), 1, "{text}");
    Line::read(&format!("{}\n", found[0]))
}

fn ram(used_mib: f64, total_mib: f64, count: u32, block_kib: f64) -> Option<Ram> {
    Some(Ram { used_mib, total_mib, free_blocks: Some((count, block_kib)) })
}

fn swap(used_mib: f64, total_mib: f64, cached_mib: f64) -> Option<Swap> {
    Some(Swap { used_mib, total_mib, cached_mib: Some(cached_mib) })
}

fn cores(loads: &[f64], mhz: &[f64]) -> Vec<Core> {
    let clock = |at: usize| mhz.get(at).or(mhz.last()).copied();
    let core = |(at, load): (usize, &f64)| Core { online: true, load_pct: Some(*load), mhz: clock(at) };
    loads.iter().enumerate().map(core).collect()
}

fn unit(name: &str, load_pct: Option<f64>, mhz: &[f64]) -> Unit {
    Unit { name: name.into(), online: true, load_pct, mhz: mhz.to_vec() }
}

fn off(name: &str) -> Unit {
    Unit { name: name.into(), ..Unit::default() }
}

fn temperatures(given: &[(&str, f64)]) -> Vec<Temperature> {
    let one = |(name, celsius): &(&str, f64)| Temperature {
        name: (*name).into(),
        celsius: Some(*celsius).filter(|celsius| *celsius > -256.0),
        max_celsius: None,
    };
    given.iter().map(one).collect()
}

fn rails(given: &[(&str, f64, f64)]) -> Vec<Rail> {
    let one = |(name, mw, mean): &(&str, f64, f64)| Rail {
        name: (*name).into(),
        mw: *mw,
        mean_mw: Some(*mean),
        third_mw: None,
    };
    given.iter().map(one).collect()
}

fn at(text: &str) -> Option<DateTime> {
    Some(text.parse().expect("a time"))
}

#[test]
fn tx2_has_rails_without_a_unit() {
    let expected = Line {
        ram: ram(2020.0, 7852.0, 1164, 4096.0),
        cores: cores(&[9.0, 21.0, 25.0, 3.0, 1.0, 1.0], &[345.0]),
        units: vec![unit("EMC", Some(0.0), &[]), unit("GR3D", Some(0.0), &[])],
        temperatures: temperatures(&[
            ("PLL", 42.5),
            ("MCPU", 42.5),
            ("PMIC", 100.0),
            ("Tboard", 40.0),
            ("GPU", 41.0),
            ("BCPU", 42.5),
            ("thermal", 41.9),
            ("Tdiode", 41.25),
        ]),
        rails: rails(&[
            ("VDD_SYS_GPU", 153.0, 158.0),
            ("VDD_SYS_SOC", 536.0, 547.0),
            ("VDD_4V0_WIFI", 633.0, 527.0),
            ("VDD_IN", 3140.0, 3208.0),
            ("VDD_SYS_CPU", 536.0, 590.0),
            ("VDD_SYS_DDR", 557.0, 601.0),
        ]),
        ..Line::default()
    };
    assert_eq!(sample("VDD_4V0_WIFI"), expected);
}

#[test]
fn nano_without_and_with_root() {
    let zones = |pll, cpu, pmic, gpu, ao, thermal| {
        temperatures(&[("PLL", pll), ("CPU", cpu), ("PMIC", pmic), ("GPU", gpu), ("AO", ao), ("thermal", thermal)])
    };
    let expected = Line {
        ram: ram(1738.0, 3956.0, 172, 4096.0),
        swap: swap(0.0, 1978.0, 0.0),
        cores: cores(&[7.0, 0.0, 3.0, 7.0], &[1224.0]),
        units: vec![unit("EMC", Some(0.0), &[]), unit("GR3D", Some(0.0), &[])],
        temperatures: zones(29.0, 31.0, 100.0, 31.5, 37.0, 31.25),
        rails: rails(&[("POM_5V_IN", 1997.0, 2089.0), ("POM_5V_GPU", 40.0, 57.0), ("POM_5V_CPU", 203.0, 289.0)]),
        ..Line::default()
    };
    assert_eq!(sample("RAM 1738/3956MB"), expected);
    let mut four = cores(&[22.0, 67.0], &[518.0]);
    four.extend([Core::default(), Core::default()]);
    let expected = Line {
        ram: ram(1409.0, 3964.0, 28, 4096.0),
        swap: swap(0.0, 1982.0, 0.0),
        iram: Some(Iram { used_kib: 0.0, total_kib: 252.0, largest_free_kib: Some(252.0) }),
        cores: four,
        units: vec![unit("EMC", Some(0.0), &[1600.0]), unit("GR3D", Some(0.0), &[76.0]), unit("APE", None, &[25.0])],
        temperatures: zones(28.5, 32.0, 50.0, 30.5, 39.5, 31.25),
        rails: rails(&[("POM_5V_IN", 2003.0, 2003.0), ("POM_5V_GPU", 0.0, 0.0), ("POM_5V_CPU", 320.0, 320.0)]),
        ..Line::default()
    };
    assert_eq!(sample("IRAM"), expected);
}

#[test]
fn xavier_nx_without_and_with_root() {
    let expected = Line {
        ram: ram(4071.0, 7770.0, 171, 4096.0),
        swap: swap(0.0, 3885.0, 0.0),
        cores: cores(&[9.0, 7.0, 9.0, 7.0, 12.0, 6.0], &[1420.0]),
        units: vec![unit("EMC", Some(0.0), &[]), unit("GR3D", Some(0.0), &[])],
        temperatures: temperatures(&[
            ("AO", 61.5),
            ("GPU", 62.0),
            ("PMIC", 100.0),
            ("AUX", 62.0),
            ("CPU", 64.0),
            ("thermal", 62.25),
        ]),
        rails: rails(&[("VDD_IN", 5608.0, 5483.0), ("VDD_CPU_GPU_CV", 1160.0, 1089.0), ("VDD_SOC", 2640.0, 2643.0)]),
        ..Line::default()
    };
    assert_eq!(sample("RAM 4071/7770MB"), expected);
    let expected = Line {
        ram: ram(2387.0, 7774.0, 961, 4096.0),
        swap: swap(0.0, 3887.0, 0.0),
        cores: cores(&[14.0, 9.0, 2.0, 4.0, 0.0, 1.0], &[1190.0, 1190.0, 1190.0, 1190.0, 1190.0, 1344.0]),
        units: vec![
            unit("EMC", Some(1.0), &[1600.0]),
            unit("GR3D", Some(0.0), &[114.0]),
            unit("VIC", Some(0.0), &[115.0]),
            unit("APE", None, &[150.0]),
        ],
        mts: Some(Mts { foreground_pct: 0.0, background_pct: 3.0 }),
        temperatures: temperatures(&[
            ("AO", 31.0),
            ("GPU", 31.5),
            ("PMIC", 100.0),
            ("AUX", 31.5),
            ("CPU", 33.0),
            ("thermal", 31.95),
        ]),
        rails: rails(&[("VDD_IN", 3528.0, 3569.0), ("VDD_CPU_GPU_CV", 410.0, 426.0), ("VDD_SOC", 1107.0, 1115.0)]),
        ..Line::default()
    };
    assert_eq!(sample("MTS"), expected);
}

#[test]
fn agx_xavier_has_rails_with_the_names_of_units() {
    let expected = Line {
        ram: ram(407.0, 15823.0, 3702, 4096.0),
        swap: swap(0.0, 7911.0, 0.0),
        cores: cores(&[5.0; 8], &[2265.0]),
        units: vec![unit("EMC", Some(0.0), &[]), unit("GR3D", Some(5.0), &[])],
        temperatures: temperatures(&[
            ("AO", 26.5),
            ("GPU", 28.0),
            ("iwlwifi", 30.0),
            ("Tdiode", 31.25),
            ("PMIC", 100.0),
            ("AUX", 26.5),
            ("CPU", 27.5),
            ("thermal", 27.45),
            ("Tboard", 27.0),
        ]),
        rails: rails(&[
            ("GPU", 1155.0, 1155.0),
            ("CPU", 385.0, 385.0),
            ("SOC", 2504.0, 2503.0),
            ("CV", 0.0, 0.0),
            ("VDDRQ", 192.0, 192.0),
            ("SYS5V", 2692.0, 2692.0),
        ]),
        ..Line::default()
    };
    assert_eq!(sample("iwlwifi"), expected);
}

#[test]
fn agx_orin_has_a_date_clusters_zones_that_are_off_and_rails_with_nothing_on_them() {
    let expected = Line {
        at: at("2025-04-11T10:36:27"),
        ram: ram(4321.0, 62801.0, 1759, 4096.0),
        swap: swap(19.0, 31400.0, 0.0),
        cores: cores(&[0.0; 12], &[729.0]),
        units: vec![
            unit("EMC", Some(0.0), &[2133.0]),
            unit("GR3D", Some(0.0), &[0.0, 0.0]),
            unit("VIC", None, &[729.0]),
            unit("APE", None, &[174.0]),
        ],
        temperatures: temperatures(&[
            ("CV0", -256.0),
            ("CPU", 44.562),
            ("Tboard", 32.0),
            ("SOC2", 40.093),
            ("Tdiode", 33.0),
            ("SOC0", 41.093),
            ("CV1", -256.0),
            ("GPU", -256.0),
            ("tj", 44.343),
            ("SOC1", 41.25),
            ("CV2", -256.0),
        ]),
        rails: rails(&[
            ("VDD_GPU_SOC", 2340.0, 2340.0),
            ("VDD_CPU_CV", 390.0, 390.0),
            ("VIN_SYS_5V0", 4025.0, 4025.0),
            ("NC", 0.0, 0.0),
            ("VDDQ_VDD2_1V8AO", 301.0, 301.0),
            ("NC", 0.0, 0.0),
        ]),
        ..Line::default()
    };
    assert_eq!(sample("VDDQ_VDD2_1V8AO"), expected);
}

#[test]
fn orin_nx_without_rails_and_with_a_second_graphics_processor() {
    let zones = |given: [f64; 9]| {
        let names = ["CV0", "CPU", "SOC2", "SOC0", "CV1", "GPU", "tj", "SOC1", "CV2"];
        temperatures(&names.into_iter().zip(given).collect::<Vec<_>>())
    };
    let expected = Line {
        at: at("2026-09-22T00:29:21"),
        ram: ram(4461.0, 15524.0, 196, 4096.0),
        swap: swap(34.0, 7762.0, 0.0),
        cores: cores(&[0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], &[1984.0]),
        units: vec![unit("EMC", Some(0.0), &[]), unit("GR3D", Some(0.0), &[0.0])],
        temperatures: zones([51.093, 52.75, 51.281, 52.125, 51.187, 50.656, 52.843, 52.781, 50.0]),
        ..Line::default()
    };
    assert_eq!(sample("RAM 4461/15524MB"), expected);
    let expected = Line {
        at: at("2026-08-21T15:11:33"),
        ram: ram(998.0, 15389.0, 3313, 4096.0),
        swap: swap(0.0, 7694.0, 0.0),
        cores: cores(&[4.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0], &[883.0, 883.0, 883.0, 883.0, 729.0]),
        units: vec![unit("EMC", Some(0.0), &[]), unit("GR3D", Some(0.0), &[]), unit("GR3D2", Some(0.0), &[0.0])],
        temperatures: zones([54.156, 56.843, 54.906, 56.031, 54.093, 54.375, 57.468, 57.468, 54.281]),
        ..Line::default()
    };
    assert_eq!(sample("GR3D2_FREQ"), expected);
}

#[test]
fn jetpack_7_has_two_temperatures_three_powers_and_engines_that_are_off() {
    let two = |(name, celsius): (&str, f64)| Temperature {
        name: name.into(),
        celsius: Some(celsius),
        max_celsius: Some(celsius),
    };
    let three = |(name, mw): (&str, f64)| Rail { name: name.into(), mw, mean_mw: Some(mw), third_mw: Some(mw) };
    let loads = [23.0, 10.0, 4.0, 14.0, 30.0, 18.0, 10.0, 10.0, 33.0, 7.0, 5.0, 27.0];
    let mut units = vec![unit("EMC", Some(3.0), &[3199.0]), unit("GR3D", Some(12.0), &[1300.0, 1300.0])];
    let are_off = ["NVENC0", "NVDEC0", "NVJPG0", "NVJPG1", "VIC", "OFA", "NVDLA0", "NVDLA1", "PVA0"];
    units.extend(are_off.map(off));
    units.push(unit("APE", None, &[174.0]));
    let expected = Line {
        at: at("2026-07-25T09:08:28"),
        ram: ram(20642.0, 62817.0, 1, 2048.0),
        cores: cores(&loads, &[2201.0]),
        units,
        temperatures: [("cpu", 52.968), ("soc2", 48.406), ("soc0", 49.531), ("gpu", 47.625)].map(two).to_vec(),
        rails: [("VDD_GPU_SOC", 5139.0), ("VDD_CPU_CV", 3268.0), ("VIN_SYS_5V0", 5500.0)].map(three).to_vec(),
        ..Line::default()
    };
    assert_eq!(sample("NVDLA1"), expected);
}

#[test]
fn drive_os_has_a_memory_clock_without_a_load_and_thor_clusters_without_one() {
    let expected = Line {
        ram: ram(264.0, 28409.0, 7004, 4096.0),
        cores: cores(&[0.0; 8], &[1817.0]),
        units: vec![unit("EMC", None, &[2133.0]), unit("GR3D", Some(0.0), &[1109.0]), unit("APE", None, &[245.0])],
        temperatures: temperatures(&[
            ("AUX", 30.0),
            ("CPU", 31.5),
            ("Tdiode", 30.75),
            ("AO", 31.0),
            ("GPU", 30.5),
            ("tj", 41.0),
        ]),
        ..Line::default()
    };
    assert_eq!(sample("EMC_FREQ @2133"), expected);
    let expected = Line {
        ram: ram(4722.0, 7844.0, 1, 512.0),
        units: vec![
            unit("EMC", Some(2.0), &[1866.0]),
            unit("GR3D", None, &[1000.0, 1000.0, 1000.0]),
            unit("APE", None, &[150.0]),
        ],
        ..Line::default()
    };
    assert_eq!(sample("@[1000,1000,1000]"), expected);
}

#[test]
fn tx1_has_older_names_and_one_clock_for_all_cores() {
    let expected = Line {
        ram: ram(3468.0, 3983.0, 48, 4096.0),
        swap: swap(873.0, 8192.0, 295.0),
        cores: cores(&[17.0, 13.0, 29.0, 5.0], &[408.0]),
        units: vec![unit("EMC", Some(1.0), &[408.0]), unit("APE", None, &[25.0]), unit("GR3D", Some(3.0), &[76.0])],
        ..Line::default()
    };
    assert_eq!(sample("cpu [17%"), expected);
}

#[test]
fn orin_nano_idle_and_under_load() {
    let zones = |given: [f64; 6]| {
        temperatures(&["cpu", "soc2", "soc0", "gpu", "tj", "soc1"].into_iter().zip(given).collect::<Vec<_>>())
    };
    let expected = Line {
        at: at("2026-04-27T15:00:54"),
        ram: ram(779.0, 7620.0, 2, 4096.0),
        swap: swap(0.0, 3810.0, 0.0),
        cores: cores(&[0.0; 6], &[1344.0]),
        units: vec![unit("GR3D", Some(0.0), &[])],
        temperatures: zones([50.125, 49.125, 49.25, 50.562, 50.562, 50.437]),
        rails: rails(&[("VDD_IN", 6626.0, 6625.0), ("VDD_CPU_GPU_CV", 1228.0, 1230.0), ("VDD_SOC", 2380.0, 2380.0)]),
        ..Line::default()
    };
    assert_eq!(sample("RAM 779/7620MB"), expected);
    let expected = Line {
        at: at("2025-10-09T00:27:03"),
        ram: ram(5173.0, 7620.0, 1, 4096.0),
        swap: swap(111.0, 3810.0, 0.0),
        cores: cores(&[45.0, 30.0, 42.0, 28.0, 46.0, 39.0], &[1728.0, 1728.0, 1728.0, 1728.0, 1113.0, 1113.0]),
        units: vec![unit("GR3D", Some(55.0), &[])],
        temperatures: zones([48.781, 48.093, 48.156, 50.718, 50.718, 48.281]),
        rails: rails(&[("VDD_IN", 6030.0, 6030.0), ("VDD_CPU_GPU_CV", 1913.0, 1913.0), ("VDD_SOC", 1557.0, 1557.0)]),
        ..Line::default()
    };
    assert_eq!(sample("RAM 5173/7620MB"), expected);
}

#[test]
fn every_sample_is_read_to_its_last_word() {
    assert_eq!(samples().len(), 15);
    for line in samples() {
        assert!(Line::read(&format!("{line}\n")).unknown.is_empty(), "{line}");
    }
}

/// Whether everything in `part` is in `whole` as well.
fn is_part_of(part: &Line, whole: &Line) -> bool {
    fn starts<T: PartialEq>(part: &[T], whole: &[T]) -> bool {
        whole.starts_with(part)
    }
    let ram = part.ram.is_none_or(|ram| {
        let whole = whole.ram.expect("the whole has it");
        ram == Ram { free_blocks: ram.free_blocks.and(whole.free_blocks), ..whole }
    });
    let swap = part.swap.is_none_or(|swap| {
        let whole = whole.swap.expect("the whole has it");
        swap == Swap { cached_mib: swap.cached_mib.and(whole.cached_mib), ..whole }
    });
    let iram = part.iram.is_none_or(|iram| {
        let whole = whole.iram.expect("the whole has it");
        iram == Iram { largest_free_kib: iram.largest_free_kib.and(whole.largest_free_kib), ..whole }
    });
    ram && swap
        && iram
        && (part.at.is_none() || part.at == whole.at)
        && (part.mts.is_none() || part.mts == whole.mts)
        && starts(&part.cores, &whole.cores)
        && starts(&part.units, &whole.units)
        && starts(&part.temperatures, &whole.temperatures)
        && starts(&part.rails, &whole.rails)
}

#[test]
fn a_line_cut_anywhere_gives_what_is_whole_and_nothing_else() {
    for line in samples() {
        let whole = Line::read(&format!("{line}\n"));
        for end in 0..=line.len() {
            let part = Line::read(&line[..end]);
            assert!(is_part_of(&part, &whole), "{}\n{part:?}", &line[..end]);
        }
        let most = Line::read(line);
        let count = |line: &Line| line.units.len() + line.temperatures.len() + line.rails.len();
        assert_eq!(
            count(&most) + 1,
            count(&whole),
            "of a line without its break only the last word isn't taken: {line}"
        );
    }
}

#[test]
fn words_nobody_knows_are_passed_over() {
    let line =
        Line::read("NEW_THING {x} RAM 1/2MB VDD_X 5mW/ FOO@3C%% VDD_IN 7mW CPU [5%@] GR3D_FREQ 5%@[1,] tj@40C\n");
    assert_eq!(line.ram, Some(Ram { used_mib: 1.0, total_mib: 2.0, free_blocks: None }));
    assert_eq!((line.temperatures.len(), line.units.len(), line.cores.len()), (1, 0, 0));
    assert_eq!(line.rails, [Rail { name: "VDD_IN".into(), mw: 7.0, ..Rail::default() }]);
    let unknown = ["NEW_THING", "{x}", "VDD_X", "5mW/", "FOO@3C%%", "CPU", "[5%@]", "GR3D_FREQ", "5%@[1,]"];
    assert_eq!(line.unknown, unknown);
    assert_eq!(Line::read(&"x ".repeat(1000)).unknown.len(), 16);
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(text in "[A-Za-z0-9_@%/,.()\\[\\]mW:C \n-]{0,200}") {
        Line::read(&text);
    }

    #[test]
    fn a_line_with_a_hole_is_read_on_behind_it(sample in any::<prop::sample::Index>(), from in any::<prop::sample::Index>(), length in 0usize..30) {
        let samples = samples();
        let line = sample.get(&samples);
        let from = from.index(line.len());
        let to = (from + length).min(line.len());
        let line = Line::read(&format!("{}{}\n", &line[..from], &line[to..]));
        prop_assert!(line.temperatures.iter().all(|temperature| temperature.celsius.is_none_or(f64::is_finite)));
    }
}

#[test]
fn what_the_kernels_files_lack_is_filled_and_the_rest_stays() {
    let line = sample("NVDLA1");
    let core = |load_pct, mhz| machine::Core { online: true, load_pct, mhz, ..machine::Core::default() };
    let engine = |name: &str| machine::Engine { name: name.into(), online: true, ..machine::Engine::default() };
    let zone = |name: &str, celsius| machine::Zone { name: name.into(), celsius, ..machine::Zone::default() };
    let mut machine = Machine {
        cores: vec![core(None, Some(729.6)), core(Some(50.0), None), machine::Core::default()],
        gpus: vec![engine("gpu")],
        engines: vec![machine::Engine { mhz: vec![3199.0], ..engine("EMC") }, engine("nvenc")],
        zones: vec![zone("cpu-thermal", None), zone("tj-thermal", Some(51.0))],
        rails: vec![machine::Rail { name: "VDD_CPU_CV".into(), mw: Some(3000.0), ..machine::Rail::default() }],
        total_mw: Some(9000.0),
        ..Machine::default()
    };
    fill(&mut machine, &line);
    assert_eq!(
        machine.cores,
        [core(Some(23.0), Some(729.6)), core(Some(50.0), Some(2201.0)), machine::Core::default()]
    );
    assert_eq!(
        (machine.gpus.len(), machine.gpus[0].load_pct, &machine.gpus[0].mhz[..]),
        (1, Some(12.0), &[1300.0; 2][..])
    );
    assert_eq!((machine.engines[0].load_pct, machine.engines[1].name.as_str()), (Some(3.0), "nvenc"));
    let names: Vec<_> = machine.engines.iter().map(|engine| engine.name.as_str()).collect();
    let expected = ["EMC", "nvenc", "NVDEC0", "NVJPG0", "NVJPG1", "VIC", "OFA", "NVDLA0", "NVDLA1", "PVA0", "APE"];
    assert_eq!(names, expected);
    let zones: Vec<_> = machine.zones.iter().map(|zone| (zone.name.as_str(), zone.celsius)).collect();
    let expected = [("cpu-thermal", 53.0), ("tj-thermal", 51.0), ("soc2", 48.4), ("soc0", 49.5), ("gpu", 47.6)];
    assert_eq!(zones, expected.map(|(name, celsius)| (name, Some(celsius))));
    assert_eq!((machine.rails[0].mw, machine.rails[0].mean_mw, machine.rails.len()), (Some(3000.0), Some(3268.0), 3));
    assert_eq!((machine.total_mw, machine.swap), (Some(9000.0), None));
    assert_eq!(machine.memory.and_then(|memory| memory.largest_free_mib), Some(2.0));
}

#[test]
fn a_machine_of_which_nothing_else_is_known_is_what_the_line_says() {
    let mut machine = Machine::default();
    fill(&mut machine, &sample("IRAM"));
    assert_eq!(machine.cores.iter().map(|core| core.online).collect::<Vec<_>>(), [true, true, false, false]);
    assert_eq!(machine.memory.map(|memory| (memory.total_mib, memory.used_mib)), Some((3964.0, 1409.0)));
    assert_eq!((machine.total_mw, machine.gpus[0].name.as_str()), (Some(2003.0), "GR3D"));
    assert!(machine.zones.iter().all(|zone| zone.name != "PMIC"), "a constant is no temperature");
    let mut orin = Machine::default();
    fill(&mut orin, &sample("VDDQ_VDD2_1V8AO"));
    assert_eq!(orin.total_mw, Some(7056.0), "2340 + 390 + 4025 + 301");
    assert_eq!((orin.rails.len(), orin.zones[0].celsius), (4, None));
    assert_eq!(orin.clone().tidied(), orin);
}
