//! What a workbook is packed in, looked through before its parser sees it. The parser trusts it: it follows chains of
//! sectors wherever they lead, unpacks whatever a part holds, and lays an old sheet out from its first cell to its last.
//! So a few bytes could ask for all memory there is, and an allocation that fails cannot be caught.

use std::io::{Cursor, Read, copy, sink};

/// What all parts of an XLSX may hold together: a million rows of a roster take less than half.
const MOST_UNPACKED: u64 = 1 << 30;
/// Cells of all sheets of an XLS with what lies between them: 64 columns of the 65,536 rows that a sheet has.
const MOST_LAID_OUT: usize = 1 << 22;

/// Looks at an XLSX. What is wrong with it is for the parser to say, unless it is too much.
///
/// # Errors
/// When its parts hold more than a workbook can.
pub fn check_xlsx(bytes: &[u8]) -> Result<(), String> {
    check_unpacked(bytes, MOST_UNPACKED)
}

fn check_unpacked(bytes: &[u8], most: u64) -> Result<(), String> {
    let mut room = most;
    let Ok(mut archive) = zip::ZipArchive::new(Cursor::new(bytes)) else { return Ok(()) };
    for part in 0..archive.len() {
        let Ok(part) = archive.by_index(part) else { continue };
        // The size that is written down need not be true.
        let unpacked = copy(&mut part.take(room + 1), &mut sink()).unwrap_or_default();
        room = room.checked_sub(unpacked).ok_or_else(|| format!("解压后超过 {} MB", most >> 20))?;
    }
    Ok(())
}

/// Looks at an XLS: its chains of sectors end, and its sheets are no larger than they can be.
///
/// # Errors
/// When that is not so.
pub fn check_xls(bytes: &[u8]) -> Result<(), String> {
    let mut container = cfb::CompoundFile::open(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let is_book = |entry: &cfb::Entry| ["Workbook", "Book"].iter().any(|name| entry.name().eq_ignore_ascii_case(name));
    let books: Vec<_> = container.walk().filter(|entry| entry.is_stream() && is_book(entry)).collect();
    for book in books {
        let mut stream = Vec::new();
        let opened = container.open_stream(book.path()).map_err(|error| error.to_string())?;
        opened.take(bytes.len() as u64).read_to_end(&mut stream).map_err(|error| error.to_string())?;
        check_sheets(&stream)?;
    }
    Ok(())
}

/// Records of a workbook stream ([MS-XLS] 2.1.4): type and content.
fn records(stream: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = stream;
    std::iter::from_fn(move || {
        let (head, after) = rest.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
        let (content, after) = after.split_at_checked(length)?;
        rest = after;
        Some((u16::from_le_bytes([head[0], head[1]]), content))
    })
}

const BEGIN: u16 = 0x0809;
const END: u16 = 0x000A;
const SHEET: u16 = 0x0085;
const DIMENSIONS: u16 = 0x0200;
const MANY_NUMBERS: u16 = 0x00BD;
/// Records of one cell, which begin with its row and column.
const CELLS: [u16; 7] = [0x0203, 0x0204, 0x00D6, 0x0205, 0x027E, 0x00FD, 0x0006];

fn short(content: &[u8], at: usize) -> Option<usize> {
    content.get(at..)?.first_chunk().map(|two| usize::from(u16::from_le_bytes(*two)))
}

fn long(content: &[u8], at: usize) -> Option<usize> {
    content.get(at..)?.first_chunk().and_then(|four| usize::try_from(u32::from_le_bytes(*four)).ok())
}

fn check_sheets(stream: &[u8]) -> Result<(), String> {
    let globals = records(stream).take_while(|(kind, _)| *kind != END);
    let sheets = globals.filter(|(kind, _)| *kind == SHEET).map(|(_, content)| long(content, 0));
    let (mut read, mut laid_out) = (0_usize, 0_usize);
    for start in sheets {
        let sheet = start.and_then(|start| stream.get(start..)).ok_or("工作表的位置不在文件里")?;
        let (length, cells) = sheet_of(sheet).ok_or("工作表范围超出 xls 格式")?;
        read += length;
        laid_out = laid_out.saturating_add(cells);
        // Each is read on its own: many that share their bytes are many times the file.
        if read > stream.len() {
            return Err("工作表互相重叠".into());
        }
        if laid_out > MOST_LAID_OUT {
            return Err(format!("工作表太大，连同空格最多 {MOST_LAID_OUT} 个单元格"));
        }
    }
    Ok(())
}

/// Bytes of a sheet, and the cells that it is laid out with; nothing when its size is none.
fn sheet_of(sheet: &[u8]) -> Option<(usize, usize)> {
    let (mut length, mut depth, mut stated) = (0, 0_usize, 0_usize);
    let (mut rows, mut columns) = ((usize::MAX, 0), (usize::MAX, 0));
    for (kind, content) in records(sheet) {
        length += 4 + content.len();
        let place = match kind {
            BEGIN => {
                depth += 1;
                None
            }
            END if depth <= 1 => break,
            END => {
                depth -= 1;
                None
            }
            // Charts lie within the sheet and have cells of their own.
            _ if depth > 1 => None,
            DIMENSIONS => {
                stated = stated.max(area_stated(content)?);
                None
            }
            MANY_NUMBERS => {
                let last = short(content, content.len().checked_sub(2)?)?;
                Some((short(content, 0)?, [short(content, 2)?, last]))
            }
            _ if CELLS.contains(&kind) => {
                let column = short(content, 2)?;
                Some((short(content, 0)?, [column, column]))
            }
            _ => None,
        };
        if let Some((row, across)) = place {
            rows = (rows.0.min(row), rows.1.max(row));
            for column in across {
                columns = (columns.0.min(column), columns.1.max(column));
            }
        }
    }
    let cells = if rows.0 == usize::MAX { 0 } else { (rows.1 - rows.0 + 1) * (columns.1 - columns.0 + 1) };
    Some((length, cells.max(stated)))
}

/// Cells that a DIMENSIONS record ([MS-XLS] 2.4.90) speaks of; nothing for rows or columns that no sheet has.
fn area_stated(content: &[u8]) -> Option<usize> {
    let (first_row, end_row, first_column, end_column) = match content.len() {
        10 => (short(content, 0)?, short(content, 2)?, short(content, 4)?, short(content, 6)?),
        _ => (long(content, 0)?, long(content, 4)?, short(content, 8)?, short(content, 10)?),
    };
    let across = end_column.saturating_sub(if first_column > 255 { 0 } else { first_column }).max(1);
    let is_possible = end_row <= 65_536 && end_column <= 256 && (first_row < end_row || end_row == 0);
    is_possible.then(|| end_row.saturating_sub(first_row).max(1) * across)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn record(kind: u16, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap();
        [&kind.to_le_bytes(), &length.to_le_bytes(), content].concat()
    }

    fn cell(row: u16, column: u16) -> Vec<u8> {
        record(0x027E, &[&row.to_le_bytes()[..], &column.to_le_bytes(), &[0; 6]].concat())
    }

    fn dimensions(rows: u32, columns: u16) -> Vec<u8> {
        let content =
            [&0_u32.to_le_bytes()[..], &rows.to_le_bytes(), &[0; 2], &columns.to_le_bytes(), &[0; 2]].concat();
        record(DIMENSIONS, &content)
    }

    /// A workbook stream whose sheets are told to begin at these places of the bytes after its globals.
    fn stream(starts: &[usize], sheets: &[u8]) -> Vec<u8> {
        let globals = |at: usize| -> Vec<u8> {
            let told = starts.iter().map(|start| record(SHEET, &u32::try_from(at + start).unwrap().to_le_bytes()));
            [record(BEGIN, &[0; 16]), told.collect::<Vec<_>>().concat(), record(END, &[])].concat()
        };
        let length = globals(0).len();
        [globals(length), sheets.to_vec()].concat()
    }

    fn sheet(parts: &[Vec<u8>]) -> Vec<u8> {
        [record(BEGIN, &[0; 16]), parts.concat(), record(END, &[])].concat()
    }

    #[test]
    fn a_sheet_that_would_be_laid_out_over_all_memory_is_refused() {
        let small = sheet(&[dimensions(200, 12), cell(0, 0), cell(199, 11)]);
        assert_eq!(check_sheets(&stream(&[0], &small)), Ok(()));
        let most = sheet(&[cell(0, 0), cell(65_535, 63)]);
        assert_eq!(check_sheets(&stream(&[0], &most)), Ok(()));
        let told = |sheet: Vec<u8>| check_sheets(&stream(&[0], &sheet)).unwrap_err();
        assert!(told(sheet(&[cell(0, 0), cell(65_535, 64)])).contains("太大"));
        assert!(told(sheet(&[dimensions(65_536, 256)])).contains("太大"));
        assert!(told(sheet(&[dimensions(0x7FFF_FFFF, 9)])).contains("超出 xls"));
        assert!(told(sheet(&[dimensions(9, 257)])).contains("超出 xls"));
    }

    #[test]
    fn sheets_that_share_their_bytes_are_refused() {
        let one = sheet(&[cell(0, 0), cell(9, 9)]);
        let beside = [one.clone(), one.clone()].concat();
        assert_eq!(check_sheets(&stream(&[0, one.len()], &beside)), Ok(()));
        assert_eq!(check_sheets(&stream(&[0; 40], &one)), Err("工作表互相重叠".into()));
        assert_eq!(check_sheets(&stream(&[4000], &one)), Err("工作表的位置不在文件里".into()));
    }

    #[test]
    fn a_workbook_that_swells_when_it_is_unpacked_is_refused() {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        archive.start_file("xl/sharedStrings.xml", zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(&vec![b' '; (2 << 20) + 1]).unwrap();
        let bytes = archive.finish().unwrap().into_inner();
        assert!(bytes.len() < 10_000, "{}", bytes.len());
        assert_eq!(check_unpacked(&bytes, 2 << 20), Err("解压后超过 2 MB".into()));
        assert_eq!(check_unpacked(&bytes, 3 << 20), Ok(()));
    }

    #[test]
    fn what_is_no_container_is_no_workbook() {
        assert!(check_xls(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1").is_err());
        assert_eq!(check_xls(include_bytes!("../../tests/data/roster/three-people.xls")), Ok(()));
        assert_eq!(check_xlsx(b"PK\x03\x04"), Ok(()), "the parser says it better");
    }
}
