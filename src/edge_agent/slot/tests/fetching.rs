//! A package from a storage that behaves badly.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::fetch::Fetch;
use super::*;

/// What the storage does with a request.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Does {
    Well,
    /// Answers with this status and an error code.
    Refuses(u16),
    /// Ends after so many bytes of a piece.
    Cuts(usize),
    /// Sends more than was asked for.
    Floods,
    /// Doesn't know ranges.
    Whole,
    /// Says that the blob is another size.
    Grows,
}

struct Storage {
    url: SecretString,
    /// The ranges that were asked for.
    asked: Arc<Mutex<Vec<String>>>,
}

/// Serves `blob`; the first requests are dealt with as `does` says, the others well.
async fn storage(blob: Vec<u8>, does: Vec<Does>) -> Storage {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let url = format!("http://{}/models/roof?sv=1&sig=c2VjcmV0", listener.local_addr().expect("an address"));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut does = does.into_iter();
        loop {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).await.expect("reads") == 0 {
                    break;
                }
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let range = head.lines().find_map(|line| line.strip_prefix("range: bytes=")).unwrap_or("-").to_owned();
            seen.lock().expect("not poisoned").push(range.clone());
            let answer = answer(&blob, &range, does.next().unwrap_or(Does::Well));
            // A client that had enough has gone.
            drop(stream.write_all(&answer).await);
        }
    });
    Storage { url: url.into(), asked }
}

fn answer(blob: &[u8], range: &str, does: Does) -> Vec<u8> {
    let head = |status: &str, more: &str, length: usize| {
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{more}\r\n").into_bytes()
    };
    if let Does::Refuses(status) = does {
        let body = "<Error>c2VjcmV0</Error>";
        let more = "x-ms-error-code: AuthenticationFailed\r\nretry-after: 0\r\n";
        return [head(&format!("{status} No"), more, body.len()), body.into()].concat();
    }
    if does == Does::Whole {
        return [head("200 OK", "", blob.len()), blob.to_vec()].concat();
    }
    let (first, last) = range.split_once('-').expect("a range");
    let first: usize = first.parse().expect("a number");
    if first >= blob.len() {
        return head("416 No", "", 0);
    }
    let end = last.parse::<usize>().expect("a number").saturating_add(1).min(blob.len());
    let total = if does == Does::Grows { blob.len() + 7 } else { blob.len() };
    let range = format!("content-range: bytes {first}-{}/{total}\r\n", end - 1);
    let mut body = blob[first..end].to_vec();
    let length = match does {
        Does::Floods => {
            body.extend(vec![0; 2 * 1024 * 1024]);
            body.len()
        }
        Does::Cuts(after) => {
            body.truncate(after);
            end - first
        }
        _ => body.len(),
    };
    [head("206 Partial Content", &range, length), body].concat()
}

/// Fetches `blob` under `sha256`; answers what came of it, with the last progress.
async fn fetch(store: &Store, sha256: &str, storage: &Storage) -> (Result<(), String>, (u64, Option<u64>)) {
    let told = Mutex::new((0, None));
    let fetch = Fetch { store, sha256, url: &storage.url, link: None };
    let came = fetch.run(&|done, total| *told.lock().expect("not poisoned") = (done, total)).await;
    let told = *told.lock().expect("not poisoned");
    (came, told)
}

/// Two and a half pieces.
fn blob() -> Vec<u8> {
    (0..2_621_440u32).map(|i| (i % 251) as u8).collect()
}

#[tokio::test]
async fn a_package_comes_in_pieces_and_goes_on_where_it_broke_off() {
    let (store, _folder) = store(3, &[]);
    let (blob, sha256) = (blob(), package::sha256(&blob()));
    let storage = storage(blob.clone(), vec![Does::Well, Does::Cuts(1000), Does::Refuses(503)]).await;
    let (came, told) = fetch(&store, &sha256, &storage).await;
    assert_eq!((came, told), (Ok(()), (2_621_440, Some(2_621_440))));
    let asked = storage.asked.lock().expect("not poisoned").clone();
    let expected = ["0-1048575", "1048576-2097151", "1049576-2098151", "1049576-2098151", "2098152-3146727"];
    assert_eq!(asked, expected);
    assert!(store.has(&sha256) && !store.part(&sha256).exists());

    // Another time half of it is there from before; and once all of it, without its name.
    for there in [1_500_000, blob.len()] {
        fs::remove_file(store.folder().join(format!("{sha256}.model"))).expect("removed");
        fs::write(store.part(&sha256), &blob[..there]).expect("written");
        let storage = super::fetching::storage(blob.clone(), Vec::new()).await;
        assert_eq!(fetch(&store, &sha256, &storage).await.0, Ok(()));
        let asked = storage.asked.lock().expect("not poisoned").first().cloned();
        assert_eq!(asked, (there < blob.len()).then(|| "1500000-2548575".to_owned()));
        assert!(store.has(&sha256));
    }
    let storage = super::fetching::storage(blob.clone(), vec![Does::Whole]).await;
    fs::remove_file(store.folder().join(format!("{sha256}.model"))).expect("removed");
    assert_eq!(fetch(&store, &sha256, &storage).await.0, Ok(()));
}

#[tokio::test]
async fn what_is_left_of_something_else_is_fetched_anew() {
    let (store, _folder) = store(3, &[]);
    let (blob, sha256) = (blob(), package::sha256(&blob()));
    for left in [vec![7; 4096], vec![7; 3_000_000]] {
        fs::write(store.part(&sha256), left).expect("written");
        let storage = storage(blob.clone(), Vec::new()).await;
        assert_eq!(fetch(&store, &sha256, &storage).await.0, Ok(()));
        assert!(store.has(&sha256));
        fs::remove_file(store.folder().join(format!("{sha256}.model"))).expect("removed");
    }
}

#[tokio::test]
async fn what_cannot_be_fetched_is_told_in_words_without_the_link() {
    let (store, _folder) = store(3, &[]);
    let (blob, sha256) = (blob(), package::sha256(&blob()));
    for (does, words) in [
        (Does::Refuses(403), "403 Forbidden AuthenticationFailed; the link isn't good any more"),
        (Does::Refuses(404), "404 Not Found AuthenticationFailed; the package isn't there"),
        (Does::Refuses(302), "302 Found AuthenticationFailed; it leads elsewhere"),
        (Does::Floods, "it sends more than was asked for"),
    ] {
        let storage = storage(blob.clone(), vec![does; 8]).await;
        let words_found = fetch(&store, &sha256, &storage).await.0.expect_err("refused");
        assert!(words_found.contains(words), "{words_found}");
        assert!(!words_found.contains("c2VjcmV0") && !words_found.contains("/models/roof"), "{words_found}");
        assert!(!store.has(&sha256));
    }
    let other = storage(b"another package".to_vec(), Vec::new()).await;
    let _ = fs::remove_file(store.part(&sha256));
    let words = fetch(&store, &sha256, &other).await.0.expect_err("another digest");
    assert!(words.contains("hasn't the digest that was named; check sha256"), "{words}");
    assert!(!store.part(&sha256).exists(), "nothing of it is kept");
    let grows = storage(blob, vec![Does::Well, Does::Grows, Does::Well]).await;
    assert_eq!(fetch(&store, &sha256, &grows).await.0, Ok(()), "it is fetched from the beginning");
    let empty = storage(Vec::new(), Vec::new()).await;
    let sha256 = package::sha256(b"");
    assert!(fetch(&store, &sha256, &empty).await.0.expect_err("empty").contains("the package is empty"));
}
