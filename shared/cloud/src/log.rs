//! The log of a function: lines of JSON as Lambda reads them.

use std::io;

use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::fmt::MakeWriter;

use crate::env;

/// Writes what is logged from now on to standard output, from the level on that Lambda sets for the function.
///
/// Lambda takes the level of a line only from one that also has a `timestamp` by RFC 3339; any other counts as `INFO`.
pub fn start_log() {
    let level: Option<String> = env::optional("AWS_LAMBDA_LOG_LEVEL").ok().flatten();
    // Fails where a log was started before, which then goes on.
    _ = tracing::subscriber::set_global_default(lines(level_of(level.as_deref()), io::stdout));
}

/// Returns the level that Lambda calls `name`: `INFO` for no name, and for one that it does not have.
fn level_of(name: Option<&str>) -> LevelFilter {
    match name {
        Some("FATAL") => LevelFilter::ERROR,
        Some(name) => name.parse().unwrap_or(LevelFilter::INFO),
        None => LevelFilter::INFO,
    }
}

fn lines<W>(level: LevelFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_max_level(level)
        .with_writer(writer)
        .finish()
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use jiff::Timestamp;
    use serde_json::Value;
    use tracing::{debug, error, info_span, subscriber::with_default};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_has_the_time_and_the_level_that_lambda_looks_for() {
        let written = Written::default();
        let writer = written.clone();
        with_default(lines(LevelFilter::WARN, move || writer.clone()), || {
            let _span = info_span!("request", request.id = "r1").entered();
            error!(export.id = "e1", "failed to think");
            debug!("thinking");
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let [line] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["timestamp"].as_str().unwrap().parse::<Timestamp>().is_ok(), "{line}");
        assert_eq!(
            (&line["level"], &line["message"]),
            (&"ERROR".into(), &"failed to think".into())
        );
        assert_eq!(line["export.id"], "e1");
    }

    #[test]
    fn levels_are_those_of_lambda() {
        let levels = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "LOUD"];
        let [trace, debug, info, warn, error, fatal, unknown] =
            levels.map(|name| level_of(Some(name)));
        assert!(trace > debug && debug > info && info > warn && warn > error);
        assert_eq!((fatal, unknown, level_of(None)), (LevelFilter::ERROR, info, info));
    }
}
