//! The fake on a socket of this machine: HTTP/1.1, one request a connection.
//!
//! Must stay true: it listens on 127.0.0.1 only; what it answers is [`FakeSpotify::answer`]'s; a listener of the socket
//! that misbehaves is dropped and nothing else happens.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{FakeSpotify, Manner, Reply, Request, control::Command};

/// A fake that answers on a port for as long as the program lives.
#[derive(Clone, Debug)]
pub struct FakeServer {
    port: u16,
    fake: Arc<Mutex<FakeSpotify>>,
    ahead_ms: Arc<AtomicI64>,
}

/// How long a request that is never answered is kept open: longer than anybody waits.
const NEVER: Duration = Duration::from_secs(90);
const DRIP_EVERY: Duration = Duration::from_millis(250);
const MAX_BODY_BYTES: usize = 1024 * 1024;

impl FakeServer {
    /// Listens on a free port, or on the given one.
    ///
    /// # Errors
    /// When the port cannot be listened on.
    pub fn start(fake: FakeSpotify, port: Option<u16>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port.unwrap_or(0)))?;
        let port = listener.local_addr()?.port();
        let server = Self { port, fake: Arc::new(Mutex::new(fake)), ahead_ms: Arc::default() };
        let accepting = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answering = accepting.clone();
                thread::spawn(move || answering.serve(stream));
            }
        });
        Ok(server)
    }

    /// `http://127.0.0.1:PORT`: the accounts service; the Web API is below `/v1`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The fake itself, to be told things directly.
    pub fn tell<T>(&self, told: impl FnOnce(&mut FakeSpotify) -> T) -> T {
        told(&mut self.fake.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The fake's time: the machine's, and as much ahead as it was told.
    pub fn now_ms(&self) -> i64 {
        real_now_ms() + self.ahead_ms.load(Ordering::Relaxed)
    }

    pub fn advance(&self, ms: i64) {
        self.ahead_ms.fetch_add(ms, Ordering::Relaxed);
    }

    fn serve(&self, stream: TcpStream) {
        // The other side has gone: nobody is left to be told.
        drop(self.try_to_serve(stream));
    }

    fn try_to_serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(NEVER))?;
        let mut reader = BufReader::new(stream);
        let request = read_request(&mut reader)?;
        let reply = self.reply(&request);
        write_reply(&mut reader.into_inner(), &reply)
    }

    fn reply(&self, request: &Request) -> Reply {
        let now_ms = self.now_ms();
        if request.path() != "/control" {
            return self.tell(|fake| fake.answer(request, now_ms));
        }
        if request.method == "GET" {
            return self.tell(|fake| fake.report());
        }
        match serde_json::from_slice::<Command>(&request.body) {
            Ok(command) => {
                let ms = self.tell(|fake| fake.obey(command));
                self.advance(ms);
                Reply::text(204, "")
            }
            Err(error) => Reply::text(422, &error.to_string()),
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> io::Result<Request> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let mut request = Request { method: method.to_owned(), target: target.to_owned(), ..Request::default() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length: usize = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
    if length > MAX_BODY_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    request.body = vec![0; length];
    reader.read_exact(&mut request.body)?;
    Ok(request)
}

fn write_reply(stream: &mut TcpStream, reply: &Reply) -> io::Result<()> {
    match reply.manner {
        Manner::Never => {
            thread::sleep(NEVER);
            return Ok(());
        }
        Manner::Reset => return Ok(()),
        Manner::AtOnce | Manner::Slowly => {}
    }
    write!(stream, "HTTP/1.1 {} .\r\nconnection: close\r\ncontent-length: {}\r\n", reply.status, reply.body.len())?;
    for (name, value) in &reply.headers {
        write!(stream, "{name}: {value}\r\n")?;
    }
    stream.write_all(b"\r\n")?;
    if reply.manner == Manner::AtOnce {
        return stream.write_all(&reply.body);
    }
    for byte in &reply.body {
        stream.write_all(&[*byte])?;
        stream.flush()?;
        thread::sleep(DRIP_EVERY);
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a native program, on the machine's own clock")]
fn real_now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or_default()
}
