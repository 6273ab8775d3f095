//! Compressed streams that follow each other in one object.

use std::io::{self, BufRead, Read};

/// Reads one stream after the other, each with a decoder of its own.
pub(crate) struct Streams<R, D, F> {
    state: State<R, D>,
    begin: F,
}

enum State<R, D> {
    Between(R),
    Inside(D),
    Broken,
}

/// A decoder that gives back what it reads from.
pub(crate) trait Decoder: Read {
    type Input;

    /// Returns what is behind the stream, once it was read to its end.
    fn into_input(self) -> io::Result<Self::Input>;
}

impl<R: BufRead> Decoder for flate2::bufread::ZlibDecoder<R> {
    type Input = R;

    fn into_input(self) -> io::Result<R> {
        Ok(self.into_inner())
    }
}

/// Reads one LZ4 frame. The library takes an object that ends within a frame for one that ends behind it.
pub(crate) struct Lz4Frame<R: Read>(lz4_flex::frame::FrameDecoder<Ends<R>>);

impl<R: Read> Lz4Frame<R> {
    pub(crate) fn new(input: R) -> Self {
        let ends = Ends { input, begin: Vec::new(), end: [u8::MAX; 8] };
        Self(lz4_flex::frame::FrameDecoder::new(ends))
    }
}

impl<R: Read> Read for Lz4Frame<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl<R: Read> Decoder for Lz4Frame<R> {
    type Input = R;

    fn into_input(self) -> io::Result<R> {
        let Ends { input, begin, end } = self.0.into_inner();
        // A block of no length ends a frame, and the checksum of the content follows if a flag says so.
        let has_checksum = begin.get(4).is_some_and(|flags| flags & 4 != 0);
        let mark = if has_checksum { &end[..4] } else { &end[4..] };
        if mark == [0; 4] { Ok(input) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// Keeps the first five and the last eight bytes that were read.
struct Ends<R> {
    input: R,
    begin: Vec<u8>,
    end: [u8; 8],
}

impl<R: Read> Read for Ends<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.input.read(buf)?;
        let read = &buf[..len];
        self.begin.extend(read.iter().take(5 - self.begin.len()));
        let new = &read[len.saturating_sub(8)..];
        self.end.rotate_left(new.len());
        self.end[8 - new.len()..].copy_from_slice(new);
        Ok(len)
    }
}

impl<R: BufRead, D: Decoder<Input = R>, F: Fn(R) -> D> Streams<R, D, F> {
    /// Returns the content of all streams of `input`. `begin` makes the decoder of one.
    pub(crate) fn new(input: R, begin: F) -> Self {
        Self { state: State::Between(input), begin }
    }
}

impl<R: BufRead, D: Decoder<Input = R>, F: Fn(R) -> D> Read for Streams<R, D, F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(&mut self.state, State::Broken) {
                State::Broken => return Err(io::ErrorKind::InvalidData.into()),
                State::Between(mut input) => {
                    if input.fill_buf()?.is_empty() {
                        self.state = State::Between(input);
                        return Ok(0);
                    }
                    self.state = State::Inside((self.begin)(input));
                }
                State::Inside(mut decoder) => {
                    let len = decoder.read(buf)?;
                    if len > 0 {
                        self.state = State::Inside(decoder);
                        return Ok(len);
                    }
                    self.state = State::Between(decoder.into_input()?);
                }
            }
        }
    }
}
