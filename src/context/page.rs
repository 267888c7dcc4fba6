use super::ContextError;

/// Which part of a file is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slice {
    /// First line, from 1.
    pub(super) start_line: u64,
    /// Byte of the file to start at instead, from 0.
    pub(super) start_byte: Option<u64>,
    /// Last line, included; none for the end.
    pub(super) end_line: Option<u64>,
    /// Most bytes.
    pub(super) max_bytes: usize,
}

/// A part of a text, byte for byte.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page<'a> {
    pub(super) text: &'a str,
    /// Line of the first byte; 1 for an empty file.
    pub(super) start_line: u64,
    /// Line of the last byte; 0 for an empty file.
    pub(super) end_line: u64,
    /// Lines of the whole text; a newline at the end begins no further line.
    pub(super) total_lines: u64,
    /// Where the wanted part goes on, when it was cut.
    pub(super) next: Option<Next>,
}

/// Where to go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Next {
    /// Byte of the file.
    pub(super) byte: u64,
    /// The line, when it begins there.
    pub(super) line: Option<u64>,
}

/// Cuts the wanted part out of a text. Lines end with `\n` and keep their ends, so that pages put
/// together are the file. A page ends at the end of a line, or within the line when that is longer
/// than a page.
pub(super) fn cut<'a>(path: &str, text: &'a str, want: Slice) -> Result<Page<'a>, ContextError> {
    let starts = line_starts(text);
    let total_lines = starts.len() as u64;
    let (from, start_line) = begin(path, text, &starts, want)?;
    let end_line = want.end_line.unwrap_or(total_lines).min(total_lines);
    let wanted_end = starts.get(end_line as usize).copied().unwrap_or(text.len()).max(from);
    let to = page_end(text, &starts, from, wanted_end, want.max_bytes);
    let next = (to < wanted_end).then(|| Next {
        byte: to as u64,
        line: starts.binary_search(&to).ok().map(|index| index as u64 + 1),
    });
    let end_line = line_of(&starts, to.saturating_sub(1).max(from));
    let end_line = if text.is_empty() { 0 } else { end_line };
    Ok(Page { text: &text[from..to], start_line, end_line, total_lines, next })
}

fn begin(
    path: &str,
    text: &str,
    starts: &[usize],
    want: Slice,
) -> Result<(usize, u64), ContextError> {
    let total_lines = starts.len() as u64;
    let no_line = |asked| ContextError::NoSuchLine { path: path.to_owned(), total_lines, asked };
    let (from, line) = match want.start_byte {
        Some(byte) => {
            let from = usize::try_from(byte).unwrap_or(usize::MAX);
            if from >= text.len() && from > 0 {
                let size = text.len();
                return Err(ContextError::Argument(format!("{path} has {size} bytes only")));
            }
            if !text.is_char_boundary(from) {
                let why = "start_byte is in the middle of a character; use next_start_byte";
                return Err(ContextError::Argument(why.to_owned()));
            }
            (from, line_of(starts, from))
        }
        None if text.is_empty() && want.start_line == 1 => (0, 1),
        None => {
            let index = usize::try_from(want.start_line - 1).unwrap_or(usize::MAX);
            let from = *starts.get(index).ok_or_else(|| no_line(want.start_line))?;
            (from, want.start_line)
        }
    };
    match want.end_line {
        Some(end) if end < line => Err(ContextError::Argument(format!(
            "end_line ({end}) is before the first line of the page ({line})"
        ))),
        _ => Ok((from, line)),
    }
}

/// The last byte of the page: the last line end within `max` bytes, else the last whole character,
/// and at least one character.
fn page_end(text: &str, starts: &[usize], from: usize, wanted_end: usize, max: usize) -> usize {
    let limit = from.saturating_add(max);
    if wanted_end <= limit {
        return wanted_end;
    }
    let lines = starts.partition_point(|start| *start <= limit);
    match starts.get(lines.wrapping_sub(1)) {
        Some(start) if *start > from => *start,
        _ => {
            let first = text[from..].chars().next().map_or(0, char::len_utf8);
            text.floor_char_boundary(limit).max(from + first)
        }
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    let ends = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).filter(|start| *start < text.len()).collect()
}

fn line_of(starts: &[usize], byte: usize) -> u64 {
    (starts.partition_point(|start| *start <= byte) as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: Slice = Slice { start_line: 1, start_byte: None, end_line: None, max_bytes: 1000 };

    #[test]
    fn line_ends_are_kept_and_counted_once() {
        let page = cut("f", "a\r\nb\nc", ALL).unwrap();
        assert_eq!((page.text, page.total_lines, page.end_line), ("a\r\nb\nc", 3, 3));
        let page = cut("f", "a\n", ALL).unwrap();
        assert_eq!((page.text, page.total_lines, page.next), ("a\n", 1, None));
        let page = cut("f", "", ALL).unwrap();
        assert_eq!((page.start_line, page.end_line, page.total_lines), (1, 0, 0));
    }

    #[test]
    fn a_range_is_that_range_and_a_wrong_one_is_refused() {
        let want = Slice { start_line: 2, end_line: Some(9), ..ALL };
        let page = cut("f", "1\n2\n3", want).unwrap();
        assert_eq!((page.text, page.end_line, page.next), ("2\n3", 3, None));
        assert!(matches!(
            cut("f", "1\n", Slice { start_line: 2, ..ALL }),
            Err(ContextError::NoSuchLine { total_lines: 1, asked: 2, .. })
        ));
        let backwards = Slice { start_line: 2, end_line: Some(1), ..ALL };
        assert!(matches!(cut("f", "1\n2\n", backwards), Err(ContextError::Argument(_))));
    }

    #[test]
    fn a_line_longer_than_a_page_goes_on_by_byte() {
        let page = cut("f", "aäö\nb", Slice { max_bytes: 4, ..ALL }).unwrap();
        assert_eq!(page.text, "aä");
        assert_eq!(page.next, Some(Next { byte: 3, line: None }));
        let page = cut("f", "a\nbb\n", Slice { max_bytes: 3, ..ALL }).unwrap();
        assert_eq!(page.next, Some(Next { byte: 2, line: Some(2) }));
    }

    proptest! {
        #[test]
        fn pages_put_together_are_the_file(text in "[aä\r\n€]{0,60}", max in 1usize..20) {
            let mut whole = String::new();
            let mut at = Some(0);
            while let Some(byte) = at {
                let want = Slice { start_byte: Some(byte), max_bytes: max, ..ALL };
                let page = cut("f", &text, want).unwrap();
                prop_assert!(page.text.len() <= max.max(3));
                whole.push_str(page.text);
                at = page.next.map(|next| next.byte);
            }
            prop_assert_eq!(whole, text);
        }
    }
}
