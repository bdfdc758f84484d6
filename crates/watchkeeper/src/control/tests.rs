//! Over real sockets.

use super::*;

fn serving(path: &Path, handle: impl Fn(Request) -> Answer + Send + Sync + 'static) -> Server {
    let mut server = Server::bind(path.to_owned()).unwrap();
    server.serve(handle).unwrap();
    server
}

#[test]
fn a_request_is_answered_over_a_private_socket_that_goes_with_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("x".repeat(200));
    fs::create_dir(&long).unwrap();
    for folder in [folder.path(), &long] {
        let path = folder.join("control.sock");
        fs::write(&path, "left over").unwrap();
        let server = serving(&path, |request| Answer::Error(format!("{request:?}")));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let answer = ask(&path, &Request::Status).unwrap();
        assert!(matches!(answer, Some(Answer::Error(text)) if text == "Status"));
        drop(server);
        assert!(!path.exists());
    }
}

#[test]
fn a_line_that_is_no_request_gets_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let _server = serving(&path, |_| Answer::Error("handled".to_owned()));
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"{\"reboot\":{}}\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.contains("does not understand"), "{reply}");
}

#[test]
fn nobody_at_the_socket_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    assert!(ask(&path, &Request::Status).unwrap().is_none());
    drop(UnixListener::bind(&path).unwrap());
    assert!(ask(&path, &Request::Status).unwrap().is_none());
}

#[test]
fn a_watch_that_ends_without_an_answer_is_said_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let ends = std::thread::spawn(move || listener.accept().map(|(stream, _)| read_line(&stream, 100, far())));
    let answer = ask(&path, &Request::Status).unwrap_err().to_string();
    assert!(answer.contains("it has just ended"), "{answer}");
    ends.join().unwrap().unwrap().unwrap();
}

#[test]
fn callers_who_say_nothing_do_not_occupy_the_watch_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let _server = serving(&path, |_| Answer::Error("handled".to_owned()));
    let silent: Vec<UnixStream> = (0..MOST_CALLS).map(|_| UnixStream::connect(&path).unwrap()).collect();
    let turned_away = ask(&path, &Request::Status);
    assert!(turned_away.is_err(), "{turned_away:?}");
    drop(silent);
    let until = far();
    while ask(&path, &Request::Status).is_err() {
        assert!(Instant::now() < until, "the silent callers still count");
    }
}

#[test]
fn a_line_has_an_end_in_bytes_and_in_time() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(b"12345").unwrap();
    assert_eq!(read_line(&ours, 4, far()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    theirs.write_all(b"1").unwrap();
    let over = Instant::now();
    assert_eq!(read_line(&ours, 4, over).unwrap_err().kind(), io::ErrorKind::TimedOut);
    theirs.write_all(b"2\n3").unwrap();
    assert_eq!(read_line(&ours, 4, far()).unwrap(), b"12");
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(30)
}
