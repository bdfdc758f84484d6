//! Over real sockets and pipes.

use super::*;

fn serving(path: &Path, handle: impl Fn(Request, &str) -> Answer + Send + Sync + 'static) -> Server {
    let mut server = Server::bind(path.to_owned()).unwrap();
    server.serve(handle).unwrap();
    server
}

fn call(path: &Path) -> Call {
    system::connect(path).unwrap().expect("somebody listens")
}

#[test]
fn requests_are_answered_one_after_the_other_also_long_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = address(folder.path());
    let long = "x".repeat(1 << 20);
    let answered = long.clone();
    let _server = serving(&path, move |request, _| Answer::Error(format!("{request:?}{answered}")));
    for _ in 0..3 {
        let answer = ask(&path, &Request::Status).unwrap();
        assert!(matches!(answer, Some(Answer::Error(text)) if text == format!("Status{long}")));
    }
}

#[test]
fn whoever_answers_learns_the_name_of_the_user_who_asks() {
    let folder = tempfile::tempdir().unwrap();
    let path = address(folder.path());
    let _server = serving(&path, |_, caller| Answer::Error(caller.to_owned()));
    let answer = ask(&path, &Request::Status).unwrap();
    assert!(matches!(answer, Some(Answer::Error(name)) if !name.is_empty() && name == own_name()));
}

#[test]
fn a_line_that_is_no_request_gets_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = address(folder.path());
    let _server = serving(&path, |_, _| Answer::Error("handled".to_owned()));
    let mut call = call(&path);
    call.send(b"{\"reboot\":{}}\n", PATIENCE).unwrap();
    let reply = String::from_utf8(read_line(&mut call, LONGEST_ANSWER, far()).unwrap()).unwrap();
    assert!(reply.contains("does not understand"), "{reply}");
}

#[test]
fn nobody_at_the_socket_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(ask(&address(folder.path()), &Request::Status).unwrap().is_none());
}

#[test]
fn a_watch_that_ends_without_an_answer_is_said_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = address(folder.path());
    let listener = Listener::bind(&path).unwrap();
    let ends = std::thread::spawn(move || listener.accept().map(|mut call| read_line(&mut call, 100, far())));
    let answer = ask(&path, &Request::Status).unwrap_err().to_string();
    assert!(answer.contains("it has just ended"), "{answer}");
    ends.join().unwrap().unwrap().unwrap();
}

#[test]
fn callers_who_say_nothing_do_not_occupy_the_watch_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let path = address(folder.path());
    let _server = serving(&path, |_, _| Answer::Error("handled".to_owned()));
    let silent: Vec<Call> = (0..MOST_CALLS).map(|_| call(&path)).collect();
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
    let folder = tempfile::tempdir().unwrap();
    let path = address(folder.path());
    let listener = Listener::bind(&path).unwrap();
    let (told, tell) = std::sync::mpsc::channel::<&[u8]>();
    let calling = std::thread::spawn(move || {
        let mut theirs = call(&path);
        for bytes in tell {
            theirs.send(bytes, PATIENCE).unwrap();
        }
    });
    let mut ours = listener.accept().unwrap();
    told.send(b"12345").unwrap();
    assert_eq!(read_line(&mut ours, 4, far()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    assert_eq!(read_line(&mut ours, 4, Instant::now()).unwrap_err().kind(), io::ErrorKind::TimedOut);
    let soon = Instant::now() + Duration::from_millis(20);
    assert_eq!(read_line(&mut ours, 4, soon).unwrap_err().kind(), io::ErrorKind::TimedOut);
    told.send(b"12\n3").unwrap();
    assert_eq!(read_line(&mut ours, 4, far()).unwrap(), b"12");
    drop(told);
    calling.join().unwrap();
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(30)
}
