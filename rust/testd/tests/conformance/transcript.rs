//! What happened, as text without anything that differs from run to run.

use spread_proto::{ByteOrder, Frame, MembershipBody, Name, service};

#[derive(Debug, Default)]
pub(crate) struct Transcript {
    text: String,
    /// Rings in the order in which they were first seen: `A`, `B` and so on.
    rings: Vec<[i32; 2]>,
}

impl Transcript {
    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn frame(&mut self, client: &str, frame: &Frame) {
        let told = self.told(frame);
        self.line(&format!("    {client}: {told}"));
    }

    fn told(&mut self, frame: &Frame) -> String {
        let header = &frame.header;
        let (kind, name) = (header.kind, header.name);
        let groups = list(&frame.groups);
        if service::is_regular(kind) {
            let order = match header.hint.order() {
                ByteOrder::Little => "",
                ByteOrder::Big => ", big-endian",
            };
            let body = if frame.body.len() <= 40 {
                format!("\"{}\"", frame.body.escape_ascii())
            } else {
                format!("{} bytes", frame.body.len())
            };
            let mess_type = header.hint.mess_type();
            return format!("{body} from {name} to {groups}, type {kind:#x}/{mess_type}{order}");
        }
        assert_eq!(header.hint.mess_type(), 0);
        if service::is_self_leave(kind) && kind == service::CAUSED_BY_LEAVE {
            return format!("self-leave {name} {groups}, {} bytes", frame.body.len());
        }
        if kind == service::TRANSITION_MESS {
            let gid = self.gid(&frame.body, header.order);
            return format!(
                "transition {name} {gid} {groups}, {} bytes",
                frame.body.len()
            );
        }
        let Ok(body) = MembershipBody::parse(&frame.body, header.order) else {
            return format!("type {kind:#x} {name} {groups}, {} bytes", frame.body.len());
        };
        let cause = match kind & !service::REG_MEMB_MESS {
            service::CAUSED_BY_JOIN => "join",
            service::CAUSED_BY_LEAVE => "leave",
            service::CAUSED_BY_DISCONNECT => "disconnect",
            service::CAUSED_BY_NETWORK => "network",
            _ => "strange",
        };
        let gid = self.gid(&frame.body, header.order);
        let sets: Vec<String> = body.vs_sets.iter().map(|set| list(set)).collect();
        let sets = sets.join(" ");
        let mine = if body.vs_sets.len() > 1 {
            format!(", mine {}", body.my_set)
        } else {
            String::new()
        };
        format!("{cause} {name} {gid} {groups} sets {sets}{mine}")
    }

    fn gid(&mut self, body: &[u8], order: ByteOrder) -> String {
        let word = |at: usize| {
            let bytes = body.get(at..at + 4).and_then(|b| b.try_into().ok());
            order.get_i32(bytes.unwrap_or_default())
        };
        let ring = [word(0), word(4)];
        let at = self
            .rings
            .iter()
            .position(|r| *r == ring)
            .unwrap_or_else(|| {
                self.rings.push(ring);
                self.rings.len() - 1
            });
        let letter = char::from(b'A' + u8::try_from(at % 26).unwrap());
        format!("{letter}/{}", word(8))
    }
}

/// Names, those that the daemon has made up masked.
fn list(names: &[Name]) -> String {
    let names: Vec<String> = names.iter().map(Name::to_string).collect();
    if names.len() > 12 {
        return format!("[{} names]", names.len());
    }
    format!("[{}]", names.join(" "))
}
