//! The table of [`super::Forms`] as `tables/normal_form.rs` wrote it.

use super::{Form, Forms, page_and_place};

static TABLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/normal_form.bin"));

impl Forms {
    /// Nothing is known should the table be no table; tests see that it is one.
    pub(super) fn unpacked() -> Self {
        let mut forms = Self { known: vec![Form::default()], ..Self::default() };
        forms.unpack(&mut Numbers(TABLE.iter())).map(|()| forms).unwrap_or_default()
    }

    fn unpack(&mut self, numbers: &mut Numbers) -> Option<()> {
        let (mut last, mut last_first) = (0, 0);
        for _ in 0..numbers.number()? {
            let letter = numbers.letter(&mut last)?;
            let description = numbers.number()?;
            let class = u8::try_from(description / 2).ok()?;
            let parts = match numbers.number()? {
                0 => Box::default(),
                count => {
                    let first = numbers.letter(&mut last_first);
                    let others = (1..count).map(|_| char::from_u32(numbers.number()?));
                    std::iter::once(first).chain(others).collect::<Option<_>>()?
                }
            };
            self.learn(letter, Form { class, follows: description % 2 == 1, parts })?;
        }
        let (mut last, mut last_first) = (0, 0);
        for _ in 0..numbers.number()? {
            let whole = numbers.letter(&mut last)?;
            let first = numbers.letter(&mut last_first)?;
            self.wholes.insert((first, char::from_u32(numbers.number()?)?), whole);
        }
        Some(())
    }

    fn learn(&mut self, letter: char, form: Form) -> Option<()> {
        let (page, place) = page_and_place(letter);
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        let page = self.pages.get_mut(page)?.get_or_insert_with(|| Box::new([0; 256]));
        *page.get_mut(place)? = u16::try_from(self.known.len()).ok()?;
        self.known.push(form);
        Some(())
    }
}

/// Numbers in LEB128.
struct Numbers(std::slice::Iter<'static, u8>);

impl Numbers {
    fn number(&mut self) -> Option<u32> {
        let mut number = 0;
        for shift in (0..u32::BITS).step_by(7) {
            let byte = *self.0.next()?;
            number |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// A letter by its distance to the last one: an even number's half after it, an odd one's, rounded up, before it.
    fn letter(&mut self, last: &mut u32) -> Option<char> {
        let number = self.number()?;
        let distance = number.div_ceil(2);
        *last = if number % 2 == 0 { last.checked_add(distance)? } else { last.checked_sub(distance)? };
        char::from_u32(*last)
    }
}
