//! A server on this machine that callbacks are posted to, as well or badly behaved as a test wants.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What a server does once it was posted to.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Answers with a status.
    Status(u16),
    /// Answers with these bytes, whatever they are.
    Raw(String),
    /// Answers with a body that never ends.
    Endless,
    /// Says nothing.
    Silence,
}

/// What was posted.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its headers, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: String,
}

/// The server. It ends with the test.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Where it is reached.
    pub url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    /// Starts a server that gives these answers, the last of them again and again.
    pub async fn start(answers: Vec<Answer>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/hook?of=test", listener.local_addr()?);
        let server = Self { url, received: Arc::default() };
        let serving = server.clone();
        tokio::spawn(async move {
            let mut number = 0;
            while let Ok((stream, _)) = listener.accept().await {
                let Some(answer) = answers.get(number).or(answers.last()) else { continue };
                number += 1;
                tokio::spawn(serving.clone().serve(stream, answer.clone()));
            }
        });
        Ok(server)
    }

    /// Waits until so much was posted, and returns all of it.
    pub async fn received(&self, count: usize) -> Vec<Received> {
        for _ in 0..600 {
            let received = self.so_far();
            if received.len() >= count {
                return received;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{} of {count} were posted", self.so_far().len());
    }

    /// Returns what was posted so far.
    pub fn so_far(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn serve(self, mut stream: TcpStream, answer: Answer) -> anyhow::Result<()> {
        let received = read(&mut stream).await?;
        self.received.lock().unwrap_or_else(PoisonError::into_inner).push(received);
        match answer {
            Answer::Status(status) => {
                let text = format!("HTTP/1.1 {status} X\r\ncontent-length: 5\r\n\r\nhello");
                stream.write_all(text.as_bytes()).await?;
            }
            Answer::Raw(bytes) => stream.write_all(bytes.as_bytes()).await?,
            Answer::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                loop {
                    stream.write_all(&[b'x'; 1024]).await?;
                }
            }
            Answer::Silence => std::future::pending().await,
        }
        Ok(())
    }
}

/// Reads a request with a body of known length.
async fn read(stream: &mut TcpStream) -> anyhow::Result<Received> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break String::from_utf8(bytes.drain(..end + 4).collect())?;
        }
        anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "read a request: it ends early");
    };
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<String, String> =
        lines.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let length: usize = headers.get("content-length").map_or(Ok(0), |text| text.parse())?;
    while bytes.len() < length {
        anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "read a body: it ends early");
    }
    Ok(Received { headers, body: String::from_utf8(bytes)? })
}
