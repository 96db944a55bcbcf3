//! The bytes of Kafka's protocol: numbers, texts and lists, as its older versions write them.

/// What does not hold together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer cannot be understood")]
pub(super) struct Malformed;

/// Reads an answer. A length is believed as far as there are bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    pub(super) fn boolean(&mut self) -> Result<bool, Malformed> {
        Ok(self.fixed::<1>()? != [0])
    }

    pub(super) fn int16(&mut self) -> Result<i16, Malformed> {
        Ok(i16::from_be_bytes(self.fixed()?))
    }

    pub(super) fn int32(&mut self) -> Result<i32, Malformed> {
        Ok(i32::from_be_bytes(self.fixed()?))
    }

    pub(super) fn int64(&mut self) -> Result<i64, Malformed> {
        Ok(i64::from_be_bytes(self.fixed()?))
    }

    /// A text; none where there is none.
    pub(super) fn text(&mut self) -> Result<Option<String>, Malformed> {
        match self.int16()? {
            -1 => Ok(None),
            length => {
                let bytes = self.take(usize::try_from(length).map_err(|_| Malformed)?)?;
                Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
            }
        }
    }

    /// Bytes; none are as good as empty ones.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        match self.int32()? {
            -1 => Ok(&[]),
            length => self.take(usize::try_from(length).map_err(|_| Malformed)?),
        }
    }

    /// A list, each entry of which has a byte at least; none is as good as an empty one.
    pub(super) fn list<T>(
        &mut self,
        mut entry: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.int32()?;
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(entry(self)?);
        }
        Ok(list)
    }
}

/// Writes a request, or a part of a batch.
pub(super) trait Output {
    fn int8(&mut self, value: i8);
    fn int16(&mut self, value: i16);
    fn int32(&mut self, value: i32);
    fn int64(&mut self, value: i64);
    /// A number in as few bytes as it needs, with its sign in the last bit.
    fn varint(&mut self, value: i64);
    /// A text of at most 32,767 bytes; what is longer is cut.
    fn text(&mut self, text: &str);
    /// Bytes with their length before them.
    fn bytes(&mut self, bytes: &[u8]);
    /// The same with the length as a [`Self::varint`]; none are told from empty ones.
    fn varbytes(&mut self, bytes: Option<&[u8]>);
    /// How many entries follow.
    fn count(&mut self, count: usize);
}

impl Output for Vec<u8> {
    fn int8(&mut self, value: i8) {
        self.extend(value.to_be_bytes());
    }

    fn int16(&mut self, value: i16) {
        self.extend(value.to_be_bytes());
    }

    fn int32(&mut self, value: i32) {
        self.extend(value.to_be_bytes());
    }

    fn int64(&mut self, value: i64) {
        self.extend(value.to_be_bytes());
    }

    fn varint(&mut self, value: i64) {
        let mut rest = (value << 1 ^ value >> 63).cast_unsigned();
        while rest >= 0x80 {
            self.push(rest.to_le_bytes()[0] | 0x80);
            rest >>= 7;
        }
        self.push(rest.to_le_bytes()[0]);
    }

    fn text(&mut self, text: &str) {
        let text = &text[..text.floor_char_boundary(usize::try_from(i16::MAX).unwrap_or(0))];
        self.int16(i16::try_from(text.len()).unwrap_or(0));
        self.extend_from_slice(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.extend_from_slice(bytes);
    }

    fn varbytes(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            None => self.varint(-1),
            Some(bytes) => {
                self.varint(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
                self.extend_from_slice(bytes);
            }
        }
    }

    fn count(&mut self, count: usize) {
        self.int32(i32::try_from(count).unwrap_or(i32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_few_bytes_are_those_of_the_protocol() {
        for (value, wanted) in [
            (0, &[0][..]),
            (-1, &[1]),
            (1, &[2]),
            (63, &[0x7e]),
            (64, &[0x80, 0x01]),
            (-65, &[0x81, 0x01]),
            (300, &[0xd8, 0x04]),
            (i64::MIN, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        ] {
            let mut bytes = Vec::new();
            bytes.varint(value);
            assert_eq!(bytes, wanted, "{value}");
        }
    }

    #[test]
    fn an_answer_that_promises_more_than_it_has_is_malformed_and_costs_nothing() {
        let promised = i32::MAX.to_be_bytes();
        assert_eq!(Input::new(&promised).list(Input::int16), Err(Malformed));
        assert_eq!(Input::new(&promised).bytes(), Err(Malformed));
        assert_eq!(Input::new(&[0x7f, 0xff, b'a']).text(), Err(Malformed));
        assert_eq!(Input::new(&[0xff, 0xfe]).text(), Err(Malformed));
        assert_eq!(Input::new(&[0xff, 0xff]).text(), Ok(None));
        assert_eq!(Input::new(&[0, 2, b'h', 0xff]).text(), Ok(Some("h\u{fffd}".to_owned())));
    }
}
