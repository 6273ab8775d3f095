//! Names under which downloads are saved.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The most bytes of a name. File systems take 255; browsers and download tools append to a name
/// while they write.
pub const MAX_FILE_NAME_BYTES: usize = 200;

/// The name of a file if nothing of the wanted name can be kept.
const NAMELESS: &str = "export";

/// Names of devices on Windows, also with an extension.
const RESERVED: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
/// Names of devices on Windows with one digit after them.
const RESERVED_WITH_DIGIT: [&str; 2] = ["COM", "LPT"];

/// The characters of `filename*` that are not escaped: `attr-char` of RFC 8187, section 3.2.1.
const ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The name of one file: letters of any script, no folder, no control characters, neither reserved
/// nor too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// Returns the name nearest to `name` that ends in a dot and `suffix`, which `name` may have already.
    pub fn with_suffix(name: &str, suffix: &str) -> Self {
        let name = name.trim();
        let stem = match name.rsplit_once('.') {
            Some((stem, end)) if end.eq_ignore_ascii_case(suffix) => stem,
            _ => name,
        };
        let stem = sound(stem, MAX_FILE_NAME_BYTES - suffix.len() - 1);
        Self(format!("{stem}.{suffix}"))
    }

    /// Returns the name nearest to `name`.
    pub fn plain(name: &str) -> Self {
        Self(sound(name, MAX_FILE_NAME_BYTES))
    }

    /// Returns the value of a `Content-Disposition` header that makes clients save a file under this name
    /// (RFC 6266). If `filename` cannot hold the name, `filename*` does, and `filename` has the part of it that
    /// older clients can use.
    pub fn content_disposition(&self) -> String {
        let quoted = self.0.replace('\\', "\\\\").replace('"', "\\\"");
        // Some clients take a percent sign in a quoted name for an escape.
        let plain = |c: char| c.is_ascii() && c != '%';
        if self.0.chars().all(plain) {
            return format!("attachment; filename=\"{quoted}\"");
        }
        let left: String = quoted.chars().map(|c| if plain(c) { c } else { '_' }).collect();
        let whole = utf8_percent_encode(&self.0, ATTR_CHAR);
        format!("attachment; filename=\"{left}\"; filename*=UTF-8''{whole}")
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the part of a name that fits into this many bytes.
fn sound(name: &str, max_bytes: usize) -> String {
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '-' }).collect();
    // A dot in front hides a file, a dash makes it an option of commands.
    let begun = plain.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '.' | '-'));
    let reserved = if is_reserved(begun) { "_" } else { "" };
    let mut kept = format!("{reserved}{begun}");
    kept.truncate(kept.floor_char_boundary(max_bytes));
    let kept = kept.trim_end_matches(|c: char| c.is_whitespace() || c == '.');
    if kept.is_empty() { NAMELESS.to_owned() } else { kept.to_owned() }
}

/// Whether a character may be in a name: it does not separate folders, and it is not an invisible one that
/// changes how others are shown.
fn is_plain(c: char) -> bool {
    let line = matches!(c, '\u{2028}' | '\u{2029}');
    // These reverse what follows, so that `exe.zip` reads as another type.
    let direction = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !line && !direction && !matches!(c, '/' | '\\')
}

/// Whether Windows would open a device instead of a file of this name.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let is_digit = |rest: &str| {
        let mut chars = rest.chars();
        let digit = |c: char| c.is_ascii_digit() || matches!(c, '¹' | '²' | '³');
        chars.next().is_some_and(digit) && chars.next().is_none()
    };
    let numbered = |known: &str| stem.strip_prefix(known).is_some_and(is_digit);
    RESERVED.contains(&&*stem) || RESERVED_WITH_DIGIT.into_iter().any(numbered)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads the parameters of a `Content-Disposition` by the letter of RFC 6266 and RFC 8187; none if
    /// it breaks their grammar.
    fn parameters(header: &str) -> Option<Vec<(String, String)>> {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let mut rest = header.strip_prefix("attachment")?;
        let mut found = Vec::new();
        while !rest.is_empty() {
            rest = rest.strip_prefix("; ")?;
            let (name, after) = rest.split_at(rest.find('=')?);
            rest = &after[1..];
            let mut value = String::new();
            if let Some(quoted) = rest.strip_prefix('"') {
                let mut chars = quoted.chars();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => value.push(chars.next()?),
                        c if c == ' ' || c.is_ascii_graphic() => value.push(c),
                        _ => return None,
                    }
                }
                rest = chars.as_str();
            } else {
                let end = rest.find(|c| !token(c)).unwrap_or(rest.len());
                value.push_str(&rest[..end]);
                rest = &rest[end..];
            }
            found.push((name.to_owned(), value));
        }
        Some(found)
    }

    /// The name a client takes that knows both parameters.
    fn read(header: &str) -> Option<String> {
        let parameters = parameters(header)?;
        let of = |name: &str| {
            let mut values = parameters.iter().filter(|(known, _)| known == name);
            let first = values.next().map(|(_, value)| value.clone());
            values.next().is_none().then_some(first)
        };
        let plain = of("filename")??;
        let Some(extended) = of("filename*")? else { return Some(plain) };
        let encoded = extended.strip_prefix("UTF-8''")?;
        let mut bytes = Vec::new();
        let mut rest = encoded.bytes();
        while let Some(byte) = rest.next() {
            if byte != b'%' {
                bytes.push(byte);
                continue;
            }
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?);
        }
        String::from_utf8(bytes).ok()
    }

    #[test]
    fn names_are_kept_as_far_as_every_system_takes_them() {
        for (name, want) in [
            ("report", "report.zip"),
            ("report.zip", "report.zip"),
            (" report.ZIP ", "report.zip"),
            ("report.zip.zip", "report.zip.zip"),
            ("売上レポート", "売上レポート.zip"),
            ("März 2026", "März 2026.zip"),
            ("My \"best\" export", "My \"best\" export.zip"),
            ("👩\u{200d}💻", "👩\u{200d}💻.zip"),
            ("../../etc/passwd", "etc-passwd.zip"),
            ("a\\b/c", "a-b-c.zip"),
            ("a\r\nb\0c\u{7f}\u{85}d", "a--b-c--d.zip"),
            ("a\u{202e}txt.exe", "a-txt.exe.zip"),
            ("a\u{2028}b\u{2029}c", "a-b-c.zip"),
            ("con", "_con.zip"),
            ("NUL.txt", "_NUL.txt.zip"),
            ("Com1 .x", "_Com1 .x.zip"),
            ("lpt²", "_lpt².zip"),
            ("con.zip", "_con.zip"),
            ("console", "console.zip"),
            ("com10", "com10.zip"),
            ("coma", "coma.zip"),
            ("", "export.zip"),
            (".zip", "export.zip"),
            ("... ", "export.zip"),
            ("-rf", "rf.zip"),
            (".hidden.", "hidden.zip"),
        ] {
            assert_eq!(FileName::with_suffix(name, "zip").to_string(), want, "{name:?}");
        }
        assert_eq!(FileName::plain("export-7-x-output-0").to_string(), "export-7-x-output-0");
        assert_eq!(FileName::plain("aux.csv").to_string(), "_aux.csv");
    }

    #[test]
    fn headers_are_as_the_standards_have_them() {
        for (name, want) in [
            ("report", "attachment; filename=\"report.zip\""),
            ("a; b", "attachment; filename=\"a; b.zip\""),
            ("My \"best\"", "attachment; filename=\"My \\\"best\\\".zip\""),
            ("März", "attachment; filename=\"M_rz.zip\"; filename*=UTF-8''M%C3%A4rz.zip"),
            ("50%41", "attachment; filename=\"50_41.zip\"; filename*=UTF-8''50%2541.zip"),
        ] {
            assert_eq!(FileName::with_suffix(name, "zip").content_disposition(), want);
        }
    }

    proptest! {
        #[test]
        fn whatever_a_name_is_one_sound_file_name_is_read_back(
            name in prop_oneof![
                "\\PC{0,20}", ".{0,300}", "(?s)[\"\\\\/%;'*.äé日 \\x00-\\x1f\u{202e}]{0,12}",
                "(?i)(con|nul|com[0-9¹])([. ].{0,5})?", "[日🙂]{60,90}"
            ],
            suffix in prop_oneof![Just("zip"), Just("jsonl")],
        ) {
            let kept = FileName::with_suffix(&name, suffix);
            let header = kept.content_disposition();
            prop_assert!(header.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{header:?}");
            let saved = read(&header);
            prop_assert_eq!(saved.as_deref(), Some(&*kept.0), "{}", header);

            let stem = kept.0.strip_suffix(&format!(".{suffix}")).unwrap();
            prop_assert!(kept.0.len() <= MAX_FILE_NAME_BYTES && !stem.is_empty());
            prop_assert!(!kept.0.contains(|c: char| c.is_control() || c == '/' || c == '\\'));
            prop_assert!(!stem.starts_with(['.', '-', ' ']) && !stem.ends_with(['.', ' ']));
            let device = stem.split('.').next().unwrap().trim_end().to_uppercase();
            prop_assert!(!["CON", "NUL", "COM1", "COM9", "COM¹"].contains(&&*device), "{}", kept);
            // What is sound already stays.
            prop_assert_eq!(FileName::with_suffix(stem, suffix), kept.clone());
            let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
            prop_assert!(name.len() > 150 || letters(stem) + suffix.len() >= letters(&name) || name.is_empty());
        }
    }
}
