//! Handing payment files over: each is uploaded under a temporary name, written down as being sent, given its name,
//! and written down as handed over. What was interrupted in between is found out before anything else is done.

use serde_json::{Value, json};

use super::super::Desk;
use super::{Trouble, exit_code_of, is_lost};
use crate::crash;
use crate::domain::delivery::{DeliveryKind, Move, Seen, next_move};
use crate::domain::money::Money;
use crate::domain::period::date_from_number;
use crate::domain::place::Place;
use crate::exchange::place::{Connection, temporary_name};
use crate::exchange::seal;
use crate::failure::{Failure, Kind};
use crate::office::Office;
use crate::storage::kept_file::digest_of;
use crate::workflow::hand_over::{self, FileOnItsWay, Standing};
use crate::workflow::pay_date;

/// What became of one file.
struct Handed {
    place: String,
    sent_name: String,
    file: FileOnItsWay,
    digest: String,
    /// It stood there already, and is written down now.
    was_there: bool,
}

/// A file that stands at a place.
struct There<'a> {
    name: &'a str,
    digest: String,
    size: usize,
    /// Since before this push.
    is_old: bool,
}

/// What a push did.
pub struct Pushed {
    handed: Vec<Handed>,
    /// Files that were handed over before, in words.
    already: Vec<String>,
    /// Files whose day is ahead, in words.
    waiting: Vec<String>,
    remarks: Vec<String>,
    troubles: Vec<Trouble>,
}

/// Hands over every file of the places' banks that was not; `is_stopped` is asked between files.
///
/// # Errors
/// When the person may not. What goes wrong with a place or file is told, and the others go on.
pub async fn push(desk: &Desk, places: &[Place], is_stopped: &dyn Fn() -> bool) -> Result<Pushed, Failure> {
    let office = &desk.office;
    let files = hand_over::for_finance(office).await?;
    let mut pushed = Pushed {
        handed: Vec::new(),
        already: Vec::new(),
        waiting: Vec::new(),
        remarks: Vec::new(),
        troubles: Vec::new(),
    };
    for place in places {
        let mut open = Vec::new();
        for known in files.iter().filter(|known| place.banks.contains(&known.file.bank_code)) {
            match known.last()? {
                _ if known.file.is_answered() => {}
                Some(DeliveryKind::HandedOver | DeliveryKind::Acknowledged) => pushed.already.push(already(known)?),
                _ => open.push(known),
            }
        }
        if open.is_empty() {
            continue;
        }
        let connection = match Connection::open(place).await {
            Ok(connection) => connection,
            Err(failure) => {
                pushed.troubles.push(Trouble { at: place.name.clone(), failure });
                continue;
            }
        };
        for known in open {
            if is_stopped() {
                break;
            }
            if let Err(failure) = pushed.hand_over(office, place, &connection, known).await {
                let lost = is_lost(&failure);
                pushed.troubles.push(Trouble { at: format!("{} {}", place.name, known.file.name), failure });
                if lost {
                    break;
                }
            }
        }
        connection.close().await;
    }
    if !pushed.handed.is_empty() {
        pushed.remarks.extend(pay_date::closed(&office.calendar, office.business_date()));
    }
    Ok(pushed)
}

/// What lies at the place: the file, the temporary file of a sending that was interrupted, or nothing.
async fn look<'a>(
    connection: &Connection,
    place: &Place,
    known: &FileOnItsWay,
    name: &'a str,
) -> Result<(Seen, There<'a>), Failure> {
    let mut there = There { name, digest: String::new(), size: 0, is_old: true };
    if let Some(bytes) = connection.sent(name).await? {
        (there.digest, there.size) = (digest_of(&bytes), bytes.len());
        let is_plain = place.encrypt_to.is_empty() && there.digest == known.file.digest;
        let is_ours = is_plain || known.was_sent_as(&there.digest)?;
        return Ok((if is_ours { Seen::Ours } else { Seen::Other }, there));
    }
    if let Some(last) = known.deliveries.last()
        && last.kind()? == DeliveryKind::Sending
        && !connection.temporaries(&last.sent_name, Some(&last.sent_digest)).await?.is_empty()
    {
        return Ok((Seen::Staged, there));
    }
    Ok((Seen::Nothing, there))
}

impl Pushed {
    async fn hand_over(
        &mut self,
        office: &Office,
        place: &Place,
        connection: &Connection,
        known: &FileOnItsWay,
    ) -> Result<(), Failure> {
        let name = place.sent_name(&known.file.name);
        let (seen, there) = look(connection, place, known, &name).await?;
        let layout = office.banks.layout(&known.file.layout_code);
        let dated = date_from_number(known.file.pay_date).unwrap_or_default();
        let is_read = layout.is_none_or(crate::domain::bank::Layout::bears_date);
        match next_move(known.last()?, seen, (dated, is_read), office.business_date()) {
            Move::Send => self.send(office, place, connection, known, &name).await,
            Move::Record => self.record(office, place, connection, known, there).await,
            Move::WaitUntil(date) => {
                self.waiting.push(format!("{} 的支付日期是 {date}，到那天再送", known.file.name));
                Ok(())
            }
            Move::DatePast(date) => {
                let today = office.business_date();
                let message =
                    format!("{} 的支付日期是 {date}，今天是 {today}，银行会拒收过期的文件，没有送出", known.file.name);
                let run = known.file.name.clone();
                Err(Failure::refused("FILE_DATE_PAST", message).hint(format!(
                    "确认 {run} 没有用别的办法送给银行，再用 fafang bank issue 批次 --out 文件夹 --pay-date {today} --note 说明 \
                     改为今天的日期；已经送给银行的，用 fafang exchange record {run} --found sent --note 说明 登记"
                )))
            }
            Move::Differs => {
                Err(Failure::conflict("FILE_DIFFERS", format!("“{}”已有 {name}，内容不是本批次的", place.name))
                    .hint("请查明它从哪里来，移走后再送；库中留存的原件不变"))
            }
            Move::AskBank => {
                let sent = known
                    .deliveries
                    .last()
                    .map(|last| Ok::<_, Failure>((&last.done_by, last.done_on()?)))
                    .transpose()?;
                let since = sent.map_or_else(String::new, |(by, on)| format!("由 {by} 于 {on} "));
                let message =
                    format!("{} {since}送出时中断，现在那里没有它，可能已被银行取走，没有再送", known.file.name);
                Err(Failure::refused("SENT_OR_NOT", message).hint(format!(
                    "请向银行核实: 已收到的，fafang exchange record {0} --found sent --note 说明；没有收到的，--found not-sent，然后再送",
                    known.file.name
                )))
            }
        }
    }

    async fn send(
        &mut self,
        office: &Office,
        place: &Place,
        connection: &Connection,
        known: &FileOnItsWay,
        name: &str,
    ) -> Result<(), Failure> {
        let plain = hand_over::content(office, &known.file).await?;
        let bytes = if place.encrypt_to.is_empty() { plain } else { seal::seal(&place.encrypt_to, &plain)? };
        let digest = digest_of(&bytes);
        let temporary = temporary_name(name, &digest);
        connection.upload(&temporary, &bytes).await?;
        crash::point("exchange", "after-upload");
        let standing = Standing { place: &place.name, name, digest: &digest };
        if let Err(failure) = hand_over::sending(office, known, standing).await {
            connection.discard(&temporary).await?;
            return Err(failure);
        }
        connection.give_name(&temporary, name).await?;
        crash::point("exchange", "after-name");
        let mut known = known.clone();
        known.deliveries = hand_over::of_file(office, &known.file).await?;
        let there = There { name, digest, size: bytes.len(), is_old: false };
        self.record(office, place, connection, &known, there).await
    }

    /// Puts the marker beside the file and writes down that it stands there.
    async fn record(
        &mut self,
        office: &Office,
        place: &Place,
        connection: &Connection,
        known: &FileOnItsWay,
        There { name, digest, size, is_old }: There<'_>,
    ) -> Result<(), Failure> {
        if let Some(marker) = place.marker_of(name)
            && connection.sent(&marker).await?.is_none()
        {
            let text = format!("file={name}\r\nsize={size}\r\nsha256={digest}\r\n");
            let temporary = temporary_name(&marker, &digest);
            connection.upload(&temporary, text.as_bytes()).await?;
            connection.give_name(&temporary, &marker).await?;
        }
        crash::point("exchange", "after-marker");
        hand_over::handed_over(office, known, Standing { place: &place.name, name, digest: &digest }).await?;
        // Nobody can give them a name any more.
        for left in connection.temporaries(name, None).await? {
            connection.discard(&left).await?;
        }
        self.handed.push(Handed {
            place: place.name.clone(),
            sent_name: name.to_string(),
            file: known.clone(),
            digest,
            was_there: is_old,
        });
        Ok(())
    }

    pub fn exit_code(&self) -> u8 {
        exit_code_of(&self.troubles, true)
    }

    /// True when there is anything to say beyond what was done before.
    pub fn is_news(&self) -> bool {
        !self.handed.is_empty() || !self.troubles.is_empty()
    }

    pub fn document(&self) -> Value {
        let handed = self.handed.iter().map(|h| {
            let file = &h.file.file;
            json!({
                "place": h.place, "file": file.file_ref, "name": h.sent_name, "rows": file.row_count,
                "total_fen": file.total_fen, "digest": file.digest, "sent_digest": h.digest, "was_there": h.was_there,
            })
        });
        json!({
            "handed_over": handed.collect::<Vec<_>>(), "already": self.already.len(), "waiting": self.waiting,
            "remarks": self.remarks, "troubles": self.troubles.iter().map(Trouble::document).collect::<Vec<_>>(),
        })
    }

    pub fn words(&self) -> String {
        let mut lines = Vec::new();
        for h in &self.handed {
            let file = &h.file.file;
            let how = if h.was_there { "已在那里，补记送出" } else { "已送出" };
            lines.push(format!(
                "{how} {}: {}  {} 笔 {} 元  sha256 {}",
                h.place,
                h.sent_name,
                file.row_count,
                Money(file.total_fen).grouped(),
                h.digest
            ));
        }
        lines.extend(self.already.iter().cloned());
        lines.extend(self.waiting.iter().cloned());
        lines.extend(self.remarks.iter().map(|remark| format!("  提示: {remark}")));
        lines.extend(self.troubles.iter().map(Trouble::words));
        if lines.is_empty() {
            lines.push("没有要送出的支付文件".into());
        }
        lines.join("\n")
    }
}

/// When and by whom a file was handed over.
fn already(known: &FileOnItsWay) -> Result<String, Failure> {
    let handed = known.deliveries.iter().rev().find(|d| d.kind().ok() == Some(DeliveryKind::HandedOver));
    let handed = handed.or(known.deliveries.last());
    let handed = handed.ok_or_else(|| Failure::new(Kind::Internal, "INCONSISTENT", known.file.name.clone()))?;
    let to = if handed.place.is_empty() { "人工送达" } else { handed.place.as_str() };
    Ok(format!("{} 已由 {} 于 {} 送出（{to}），没有再送", known.file.name, handed.done_by, handed.done_on()?))
}
