//! A payment file, written row by row: whoever has a million need not hold them.

use super::{
    CannotWrite, Encoded, FileHeader, PaymentRow, Problem, Refusals, Tally, gb18030, grows, header_line, put_row,
    trailer_line,
};
use crate::domain::bank::Layout;
use crate::domain::money::Money;
use crate::domain::person_name::masked_name;

/// See the module. Of a file with a fault nothing is handed out.
#[derive(Debug)]
pub struct PaymentWriter<'l> {
    layout: &'l Layout,
    refusals: Refusals,
    told: Tally,
    holder: Encoded,
    remark: Encoded,
    last_ref: String,
    /// The rows; the header, which tells their sum, comes before them in the end.
    bytes: Vec<u8>,
}

impl<'l> PaymentWriter<'l> {
    /// Of a file with about so many rows.
    #[must_use]
    pub fn new(layout: &'l Layout, rows: usize) -> PaymentWriter<'l> {
        PaymentWriter {
            layout,
            refusals: Refusals::default(),
            told: Tally::default(),
            holder: Encoded::default(),
            remark: Encoded::default(),
            last_ref: String::new(),
            bytes: Vec::with_capacity(256 + rows * 128),
        }
    }

    /// The next row, whose reference is greater than all before, as those of a run are: another may have come before.
    pub fn row<T: AsRef<str>>(&mut self, row: &PaymentRow<T>) {
        let is_twice = !grows(&self.last_ref, row.payment_ref.as_ref());
        self.last_ref.clear();
        self.last_ref.push_str(row.payment_ref.as_ref());
        self.put(row, is_twice);
    }

    pub(super) fn put<T: AsRef<str>>(&mut self, row: &PaymentRow<T>, is_twice: bool) {
        let PaymentWriter { refusals, holder, remark, .. } = self;
        let line_no = row.line_no;
        refusals.text(line_no, "账号", row.account.as_ref(), true);
        refusals.text(line_no, "公民身份号码", row.citizen_number.as_ref(), false);
        refusals.encoded(line_no, "摘要", row.remark.as_ref(), false, remark);
        refusals.text(line_no, "支付明细号", row.payment_ref.as_ref(), true);
        refusals.encoded(line_no, "户名", row.holder.as_ref(), true, holder);
        let (length, limit) = (holder.bytes.len(), self.layout.name_bytes);
        if length > limit {
            let masked = masked_name(row.holder.as_ref());
            refusals.add(line_no, "户名", Problem::TooLong { masked, bytes: length, limit });
        }
        if row.amount <= Money::ZERO {
            refusals.add(line_no, "金额", Problem::NotPositive(row.amount));
        }
        if is_twice {
            refusals.add(line_no, "支付明细号", Problem::Twice(row.payment_ref.as_ref().to_string()));
        }
        self.told.add(row.amount);
        put_row(&mut self.bytes, row, &holder.bytes, &remark.bytes);
    }

    /// The file.
    ///
    /// # Errors
    /// All that stands against writing, with line, field and limit.
    pub fn finish(self, header: &FileHeader) -> Result<Vec<u8>, Vec<CannotWrite>> {
        let PaymentWriter { layout, told, mut bytes, .. } = self;
        let mut refusals = Refusals::default();
        refusals.header(header);
        refusals.differs("笔数", header.rows.to_string(), told.rows.to_string());
        refusals.differs("总金额", header.total.to_string(), told.total.to_string());
        if !(1..=layout.row_limit).contains(&told.rows) {
            let expected = format!("1 至 {} 笔", layout.row_limit);
            refusals.add(0, "笔数", Problem::Bounds { found: format!("{} 笔", told.rows), expected });
        }
        refusals.0.extend(self.refusals.0);
        if !refusals.0.is_empty() {
            return Err(refusals.0);
        }
        bytes.splice(..0, gb18030(&header_line("H", header)).unwrap_or_default());
        bytes.extend_from_slice(trailer_line(header).as_bytes());
        Ok(bytes)
    }
}
