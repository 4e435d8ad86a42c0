//! Answers in XML: elements and attributes by name, wherever the bank's envelope puts them.

use super::*;

const AIPG: &str = include_str!("../../../../../config/banks/unionpay-aipg.toml");

/// As the gateway answers: its own envelope, what it repeats, a text with references, an element that nobody asked for.
const GATEWAY_RETURN: &str = "<?xml version=\"1.0\" encoding=\"GBK\"?>\n<AIPG>\n<INFO><TRX_CODE>100002</TRX_CODE>\
    <REQ_SN>652827-202601-1-BANK-1</REQ_SN><RET_CODE>0000</RET_CODE><ERR_MSG>处理完成</ERR_MSG><SIGNED_MSG/></INFO>\n\
    <BODY><RET_DETAILS>\n\
    <RET_DETAIL><SN>0001</SN><RET_CODE>0000</RET_CODE><ERR_MSG>处理成功</ERR_MSG></RET_DETAIL>\n\
    <RET_DETAIL><SN>2</SN><RET_CODE>3018</RET_CODE><ERR_MSG> 已清户 &lt;6228&gt; </ERR_MSG><TIME>1</TIME></RET_DETAIL>\n\
    </RET_DETAILS></BODY></AIPG>\n";

#[test]
fn the_gateway_of_unionpay_byte_by_byte() {
    let row = |seq, account, holder, fen| {
        format!(
            "<TRANS_DETAIL><SN>{seq}</SN><E_USER_CODE></E_USER_CODE><BANK_CODE>102</BANK_CODE><ACCOUNT_TYPE>00</ACCOUNT_TYPE>\
             <ACCOUNT_NO>{account}</ACCOUNT_NO><ACCOUNT_NAME>{holder}</ACCOUNT_NAME><PROVINCE></PROVINCE><CITY></CITY>\
             <BANK_NAME>示例银行</BANK_NAME><ACCOUNT_PROP>0</ACCOUNT_PROP><AMOUNT>{fen}</AMOUNT><CURRENCY>CNY</CURRENCY>\
             <ID_TYPE>0</ID_TYPE><ID>652827194001010012</ID><TEL></TEL><REMARK>补贴2026-01</REMARK></TRANS_DETAIL>"
        )
    };
    let expected = [
        "<?xml version=\"1.0\" encoding=\"GBK\"?>",
        "<AIPG>",
        "<INFO><TRX_CODE>100002</TRX_CODE><VERSION></VERSION><REQ_SN>652827-202601-1-BANK-1</REQ_SN><SIGNED_MSG></SIGNED_MSG></INFO>",
        "<BODY>",
        "<TRANS_SUM><BUSINESS_CODE></BUSINESS_CODE><MERCHANT_ID>1001</MERCHANT_ID><SUBMIT_TIME>20260116000000</SUBMIT_TIME>\
         <TOTAL_ITEM>2</TOTAL_ITEM><TOTAL_SUM>12001</TOTAL_SUM></TRANS_SUM>",
        "<TRANS_DETAILS>",
        &row("0001", "6299000000000000007", "张東", "12000"),
        &row("0002", "6299000000000000009", "阿依古丽·买买提", "1"),
        "</TRANS_DETAILS>",
        "</BODY>",
        "</AIPG>",
    ];
    let layout = layout("unionpay-aipg");
    let mut bank = bank(&layout);
    // The gateway's own number of the bank, three digits.
    for (key, value) in &mut bank.values {
        if *key == "bank_no" {
            *value = "102".to_string();
        }
    }
    let (name, bytes) = write_for(&layout, &bank, &two()).unwrap();
    assert_eq!(name, "AIPG_1001_652827-202601-1-BANK-1.xml");
    assert_eq!(GBK.decode(&bytes).0, expected.join("\n") + "\n");
    let back = read_payment_file(form(&layout), &bank, &name, &bytes).unwrap();
    assert_eq!(back.said(Field::FileRef), Some("652827-202601-1-BANK-1"));
}

#[test]
fn an_answer_of_the_gateway_is_known_by_the_number_of_the_request_and_of_the_row() {
    let found = understand("unionpay-aipg", &gbk(GATEWAY_RETURN), &two());
    assert_eq!(told(&found), [one(7, AnswerStatus::Credited), one(9, AnswerStatus::Rejected)]);
    let [credited, rejected] = found.answer.rows.as_slice() else { panic!("{found:?}") };
    assert_eq!((credited.reason_code.as_str(), credited.reason_text.as_str()), ("", ""), "success has no reason");
    assert_eq!((rejected.reason_code.as_str(), rejected.reason_text.as_str()), ("3018", "已清户 <6228>"));
    // What the answer does not tell is that of the payment.
    assert_eq!((rejected.account.as_str(), rejected.amount.clone()), ("6299000000000000009", Ok(Money(1))));
    assert_eq!(layout("unionpay-aipg").reason_class("3018"), ReasonClass::AccountClosed);
    assert_eq!(
        read("unionpay-aipg", &gbk(GATEWAY_RETURN)).unwrap().claim(Field::FileRef),
        Some("652827-202601-1-BANK-1")
    );
    let utf8 = GATEWAY_RETURN.replace("\"GBK\"", "\"UTF-8\"");
    assert_eq!(
        read("unionpay-aipg", utf8.as_bytes()),
        read("unionpay-aipg", &gbk(GATEWAY_RETURN)),
        "as it declares itself"
    );
}

/// `trap 5`: neither on its way nor in trouble is credited or failed.
#[test]
fn codes_that_say_nothing_final_stay_open() {
    for code in ["3028", "3044", "3059"] {
        let found = understand("unionpay-aipg", &gbk(&GATEWAY_RETURN.replace("3018", code)), &two());
        assert_eq!(found.answer.rows[1].status, AnswerStatus::Open, "{code}");
    }
    let found = understand("unionpay-aipg", &gbk(&GATEWAY_RETURN.replace("3018", "2000")), &two());
    assert_eq!(found.answer.rows[1].status, AnswerStatus::Unknown("2000".into()), "no code of the list");
    let unknown = understand("unionpay-aipg", &gbk(&GATEWAY_RETURN.replace("<SN>2<", "<SN>3<")), &two());
    assert_eq!((unknown.answer.rows[1].line_no.as_str(), unknown.answer.rows[1].account.as_str()), ("3", ""));
}

#[test]
fn an_answer_whose_elements_are_not_those_of_the_description_is_refused() {
    for (from, to, code, words) in [
        ("<SN>2</SN>", "", "BANK_FILE_ELEMENT", "第 6 行 <RET_DETAIL>里没有“SN”"),
        ("<SN>2</SN>", "<SN>2</SN><SN>1</SN>", "BANK_FILE_ELEMENT", "第 6 行 <RET_DETAIL>里有 2 个“SN”，应只有一个"),
        ("<RET_CODE>3018</RET_CODE>", "", "BANK_FILE_ELEMENT", "<RET_DETAIL>里没有“RET_CODE”"),
        ("<REQ_SN>652827-202601-1-BANK-1</REQ_SN>", "", "BANK_FILE_ELEMENT", "文件里没有“INFO/REQ_SN”"),
        ("<SIGNED_MSG/>", "<REQ_SN>1</REQ_SN>", "BANK_FILE_ELEMENT", "第 3 行 文件里有 2 个“INFO/REQ_SN”"),
        ("RET_DETAIL>", "DETAIL>", "BANK_FILE_EMPTY", "没有明细"),
        ("</RET_DETAILS></BODY></AIPG>", "", "XML_TRUNCATED", "<RET_DETAILS> 没有结束"),
        ("<AIPG>", "<!DOCTYPE a [<!ENTITY b \"c\">]><AIPG>", "XML_DOCTYPE", "DOCTYPE"),
        ("处理成功", "&b;", "XML_ENTITY", "“&b;”"),
        ("\"GBK\"", "\"UTF-16\"", "XML_ENCODING", "UTF-16"),
    ] {
        let text = GATEWAY_RETURN.replace(from, to);
        assert_ne!(text, GATEWAY_RETURN, "{from}");
        let error = read("unionpay-aipg", &gbk(&text)).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let deep = GATEWAY_RETURN.replace("<BODY>", &"<A>".repeat(100));
    assert_eq!(read("unionpay-aipg", &gbk(&deep)).unwrap_err().code(), "XML_BEYOND");
    assert_eq!(read("unionpay-aipg", &gbk("1|2|3\r\n")).unwrap_err().code(), "XML_MALFORMED");
}

/// Another bank's style: everything in attributes, totals at the head, what a payment is told with all of it.
const BY_ATTRIBUTES: &str = r#"
code = "in-attributes"
title = "属性写法"
row_limit = 500
name_bytes = 60
[file]
kind = "xml"
charset = "gbk"
newline = "lf"
name = "{file_ref}.xml"
head = ['<?xml version="1.0" encoding="GBK"?>', "<batch>", '<summary count="{rows}" money="{total:fen}"/>']
row = '<detail orderNo="{payment_ref}" recAccNo="{account}" recAccNme="{holder}" money="{amount:fen}"/>'
tail = ["</batch>"]
[answer]
amount = "fen"
record = "list/detail"
head = ["summary/@count={rows}", "summary/@money={total}", "result=受理{sent_rows}笔", "state=1"]
[answer.columns]
payment_ref = "@orderNo"
account = "@recAccNo"
holder = ["payee/name", "@recAccNme"]
amount = "@money"
status = "state"
reason = "state/@why"
[answer.status]
credited = ["成功"]
rejected = ["失败"]
"#;

const ATTRIBUTES_RETURN: &str = "<?xml version=\"1.0\" encoding=\"GBK\"?>\n<batch state='0'><detail>not of the list</detail>\
    <state>1</state><result>受理2笔</result><summary count=\"2\" money=\"12001\"/><list>\n\
    <detail orderNo=\"652827-202601-1-7\" recAccNo=\"６299000000000000007\" recAccNme=\"张東\" money=\"12000\"><state>成功</state></detail>\n\
    <detail orderNo=\"652827-202601-1-9\" recAccNo=\"6299000000000000009\" money=\"1\"><payee><name>阿依古丽·买买提</name></payee>\
    <state why=\"户名&#x4E0D;符\"><![CDATA[失败]]></state></detail>\n</list></batch>";

fn by_attributes() -> Layout {
    parse_bank_file(BY_ATTRIBUTES).unwrap().0.unwrap()
}

#[test]
fn attributes_totals_and_paths_are_read_as_described() {
    let layout = by_attributes();
    let read = |text: &str| read_answer(&layout, form(&layout), &bank(&layout), "a.xml", &gbk(text));
    let laid = read(ATTRIBUTES_RETURN).unwrap();
    let found = matched(&form(&layout).answer, &laid, AnswerKind::Return, header(&two()), STEM, &sent(&two()));
    assert_eq!(told(&found), [one(7, AnswerStatus::Credited), one(9, AnswerStatus::Rejected)]);
    let rows = &found.answer.rows;
    assert_eq!((rows[0].account.as_str(), rows[0].row), ("6299000000000000007", 3));
    assert_eq!((rows[1].holder.as_str(), rows[1].reason_text.as_str()), ("阿依古丽·买买提", "户名不符"));
    assert_eq!(laid.claim(Field::SentRows), Some("2"));
    for (from, to, code) in [
        ("money=\"12001\"", "money=\"12002\"", "BANK_FILE_TOTALS"),
        ("count=\"2\"", "count=\"3\"", "BANK_FILE_TOTALS"),
        ("<state>1<", "<state>2<", "BANK_FILE_FIELD"),
        ("受理2笔", "已受理2笔", "BANK_FILE_FIELD"),
        ("money=\"1\"", "money=\"0.01\"", "BANK_FILE_FIELD"),
        (" money=\"1\"", "", "BANK_FILE_ELEMENT"),
        ("<payee>", "<payee><name>李娜</name></payee><payee>", "BANK_FILE_ELEMENT"),
        (" recAccNo=\"6299000000000000009\"", "", "BANK_FILE_ELEMENT"),
    ] {
        let text = ATTRIBUTES_RETURN.replacen(from, to, 1);
        assert_ne!(text, ATTRIBUTES_RETURN, "{from}");
        assert_eq!(read(&text).unwrap_err().code(), code, "{from} → {to}");
    }
    // What the description writes as a sample is understood.
    let rows = two();
    let fate = |seq, row, said| Fate { seq, row, said, reason_code: "", reason: "户名不符", bank_ref: "" };
    let fates = [fate(1, &rows[0], Said::Credited), fate(2, &rows[1], Said::Rejected)];
    let sample = sample::text(form(&layout), &sample::answer(form(&layout), &bank(&layout), &header(&rows), &fates));
    let laid = read(&sample).unwrap();
    assert_eq!(laid.rows.iter().map(|row| row.status.as_str()).collect::<Vec<_>>(), ["成功", "失败"], "{sample}");
}

#[test]
fn what_is_wrong_in_a_description_of_xml_is_told() {
    parse_bank_file(BY_ATTRIBUTES).unwrap();
    for (text, from, to, key) in [
        (BY_ATTRIBUTES, "record = \"list/detail\"\n", "", "answer.record"),
        (BY_ATTRIBUTES, "\"list/detail\"", "\"list/@detail\"", "answer.record"),
        (BY_ATTRIBUTES, "\"list/detail\"", "\"list//detail\"", "answer.record"),
        (BY_ATTRIBUTES, "\"list/detail\"", "\"<detail>\"", "answer.record"),
        (BY_ATTRIBUTES, "summary/@count={rows}", "{rows}", "answer.head"),
        (BY_ATTRIBUTES, "summary/@count={rows}", "@count={rows}", "answer.head"),
        (BY_ATTRIBUTES, "summary/@count={rows}", "summary {rows}", "answer.head"),
        (BY_ATTRIBUTES, "summary/@count={rows}", "summary/@count ={rows}", "answer.head"),
        (BY_ATTRIBUTES, "\"@money\"", "\"@\"", "answer.columns"),
        (BY_ATTRIBUTES, "\"@money\"", "3", "answer.columns"),
        (BY_ATTRIBUTES, "record =", "separator = \"|\"\nrecord =", "answer.separator"),
        (BY_ATTRIBUTES, "record =", "tail = [\"合计\"]\nrecord =", "answer.tail"),
        (BY_ATTRIBUTES, "record =", "comment = \"#\"\nrecord =", "answer.comment"),
        (BY_ATTRIBUTES, "record =", "no_account = \"不写\"\nrecord =", "answer.no_account"),
        (BY_ATTRIBUTES, "account = \"@recAccNo\"\n", "", "answer.columns"),
        (BY_ATTRIBUTES, "record =", "by_position = \"不写\"\nrecord =", "answer.by_position"),
        (AIPG, "head = [\"INFO/REQ_SN={file_ref}\"]\n", "", "answer.no_account"),
        (AIPG, "{file_ref}\"]\nno_account", "{file_ref}\", \"INFO/SUM={total}\"]\nno_account", "answer.no_account"),
        (AIPG, "no_account = ", "no_reference = ", "answer.no_reference"),
        (AIPG, "reason = \"ERR_MSG\"", "reason = \"RET_CODE\"", "answer.columns.status"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let error = parse_bank_file(&changed).unwrap_err().to_string();
        assert!(error.contains(&format!(" {key}: ")), "{from} → {to}: {error}");
    }
}
