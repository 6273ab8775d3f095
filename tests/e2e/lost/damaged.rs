//! A damaged or foreign object among sound ones ends an export with its key, whichever API is asked: its rows are
//! never left out in silence.

use super::*;

/// What may be wrong with an object: what it is called, and its bytes, made from rows that are sound.
type Damage = (&'static str, fn(&str) -> Vec<u8>);

const DAMAGES: [Damage; 6] = [
    ("cut.json.gz", |rows| {
        let whole = gzip(rows);
        whole[..whole.len() - 9].to_vec()
    }),
    ("checksum.json.gz", |rows| {
        let mut bytes = gzip(rows);
        let at = bytes.len() - 8;
        bytes[at] ^= 1;
        bytes
    }),
    ("length.json.gz", |rows| {
        let mut bytes = gzip(rows);
        let at = bytes.len() - 4;
        bytes[at] ^= 1;
        bytes
    }),
    ("cut.json.zst", |rows| {
        let whole = zstd::encode_all(rows.as_bytes(), 1).unwrap();
        whole[..whole.len() - 9].to_vec()
    }),
    ("avro.json", |_| b"Obj\x01\x04\x15\x10".to_vec()),
    ("zip.json", |_| b"PK\x03\x04\x14\0\0\0\x08\0".to_vec()),
];

impl Kind {
    /// Fills the lake with sound objects around an hour, and puts a wrong one among them.
    async fn damage(&self, user: &User, window: Timestamp, damage: &Damage, rng: &mut Rng) {
        self.fill(user, window, rng).await;
        let folder = window.to_zoned(TimeZone::UTC).strftime(self.folder).to_string();
        let key = folder.replace("WORKSPACE", user.workspace.as_ref()) + damage.0;
        let rows: String = (0..20)
            .map(|number| self.row(number, window, window, rng, &mut Truth::default()) + "\n")
            .collect();
        user.stack.put_source(&key, (damage.1)(&rows)).await.unwrap();
    }
}

#[tokio::test]
async fn the_native_api_and_liferays_name_the_object_that_cannot_be_read() {
    for damage in &DAMAGES {
        let (user, mut rng) = (user().await, Rng::with_seed(0));
        PAGES.damage(&user, at(FROM), damage, &mut rng).await;
        for format in ["jsonl", "csv", "parquet"] {
            let made = user.create(&request("liferay_page", FROM, TO, format)).await.unwrap();
            let done = user.finished(&made).await.unwrap();
            assert_eq!(done.text("/status"), "failed", "{}, {format}", damage.0);
            assert!(done.text("/failure/detail").contains(damage.0), "{}", done.body);
        }
        let said = liferay::failure_of(&user, "fromDate=2026-03-01T10:00&toDate=2026-03-01T10:59");
        let said = said.await;
        assert!(said.contains(damage.0), "{}: {said}", damage.0);
    }
}

#[tokio::test]
async fn coveos_api_names_the_object_that_cannot_be_read() {
    for damage in &DAMAGES {
        let (user, mut rng) = (user().await, Rng::with_seed(0));
        CLICKS.damage(&user, at(FROM), damage, &mut rng).await;
        let query = "from=2026-03-01T10:00:00.000Z&to=2026-03-01T10:59:59.999Z&tables=clicks";
        let said = coveo::failure_of(&user, query).await;
        assert!(said.contains(damage.0), "{}: {said}", damage.0);
    }
}

#[tokio::test]
async fn amplitudes_api_names_the_object_that_cannot_be_read() {
    for damage in &DAMAGES {
        let (user, mut rng) = (user().await, Rng::with_seed(0));
        EVENTS.damage(&user, at(FROM), damage, &mut rng).await;
        let said = amplitude::failure_of(&user, "start=20260301T10&end=20260301T10").await;
        assert!(said.contains(damage.0), "{}: {said}", damage.0);
    }
}

#[tokio::test]
async fn leanplums_api_names_the_object_that_cannot_be_read() {
    for damage in &DAMAGES {
        let (user, mut rng) = (user().await, Rng::with_seed(0));
        let (morning, day) = leanplum::morning();
        SESSIONS.damage(&user, morning, damage, &mut rng).await;
        for format in ["json", "csv"] {
            let query = format!("startDate={day}&endDate={day}&exportFormat={format}");
            let said = leanplum::failure_of(&user, &query).await;
            assert!(said.contains(damage.0), "{}, {format}: {said}", damage.0);
        }
    }
}
