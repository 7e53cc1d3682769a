//! The pickles of checkpoints: a dictionary of tensors by name, of protocol 2.
//!
//! A pickle is a program for a machine with a stack. This machine knows the instructions that
//! `torch.save` writes, and the few names that stand in checkpoints of tensors; nothing that a
//! pickle names is looked up or run. Objects are numbers in a list and hold each other by number:
//! taking one out of the memo copies nothing, nesting needs no stack, and each instruction makes
//! one object at most. So memory is a small multiple of the pickle's length, whatever it says.

use std::collections::HashMap;
use std::ops::Range;

use super::torch::{Global, Kind, Tensor};

/// The longest pickle, in bytes, and the most objects: some times what the largest checkpoints
/// have.
pub const LONGEST: u64 = 8 << 20;
const OBJECTS: usize = 1 << 18;
/// Of a tensor's name, in bytes.
const NAME: usize = 256;
/// Of a tensor.
const DIMENSIONS: usize = 8;

/// The number of an object.
type Id = usize;

#[derive(Debug, Clone)]
enum Object {
    /// Of no consequence for tensors: None, truth values, floats, lists.
    Other,
    List,
    Int(i64),
    /// Where in the pickle.
    Text(Range<usize>),
    Global(Global),
    /// Where in the machine's `items`.
    Tuple(Range<usize>),
    /// Where in the machine's `dictionaries`.
    Dictionary(usize),
    /// Its type, name and number of elements.
    Storage(Kind, Range<usize>, u64),
    /// Where in the machine's `tensors`.
    Tensor(usize),
}

/// The machine, and the pickle that it reads.
#[derive(Default)]
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    objects: Vec<Object>,
    /// What tuples hold, one behind the other.
    items: Vec<Id>,
    dictionaries: Vec<Vec<(Id, Id)>>,
    tensors: Vec<Tensor>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

/// The tensors of a pickle, by name.
pub fn tensors(bytes: &[u8]) -> Result<HashMap<String, Tensor>, String> {
    let mut machine = Machine { bytes, ..Machine::default() };
    let dictionary = machine.run()?;
    let mut out = HashMap::new();
    for &(name, value) in &machine.dictionaries[dictionary] {
        if let (Object::Text(name), Object::Tensor(tensor)) =
            (&machine.objects[name], &machine.objects[value])
        {
            if name.len() > NAME {
                return Err(format!(
                    "expected names of at most {NAME} bytes, found one of {}",
                    name.len()
                ));
            }
            out.insert(machine.text(name)?.to_owned(), machine.tensors[*tensor].clone());
        }
    }
    if out.is_empty() {
        return Err("expected a dictionary of tensors, as torch.save writes it, found none".into());
    }
    Ok(out)
}

impl Machine<'_> {
    /// Runs to the end; gives the dictionary that is left.
    fn run(&mut self) -> Result<usize, String> {
        loop {
            let begin = self.at;
            if self.step()? {
                break;
            }
            let held = [
                self.objects.len(),
                self.items.len(),
                self.stack.len(),
                self.marks.len(),
                self.memo.len(),
            ];
            if held.iter().any(|length| *length > OBJECTS) {
                return Err(format!(
                    "expected at most {OBJECTS} objects, found more at byte {begin} of the pickle"
                ));
            }
        }
        match self.stack[..] {
            [only] if self.marks.is_empty() => match self.objects[only] {
                Object::Dictionary(dictionary) => Ok(dictionary),
                _ => Err("expected a dictionary of tensors, found something else".into()),
            },
            _ => Err("expected a pickle of one object, found another number of them".into()),
        }
    }

    /// Does what the next instruction says. True at the last one.
    fn step(&mut self) -> Result<bool, String> {
        let begin = self.at;
        match self.array::<1>()?[0] {
            // PROTO
            0x80 => match self.array()? {
                [2] => {}
                [found] => return Err(format!("expected a pickle of protocol 2, found {found}")),
            },
            // GLOBAL
            b'c' => self.global()?,
            // EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3, TUPLE
            b')' => self.tuple(0)?,
            0x85 => self.tuple(1)?,
            0x86 => self.tuple(2)?,
            0x87 => self.tuple(3)?,
            b't' => {
                let length = self.above_mark()?;
                self.tuple(length)?;
            }
            // MARK
            b'(' => self.marks.push(self.stack.len()),
            // BINUNICODE
            b'X' => {
                let length = u32::from_le_bytes(self.array()?) as usize;
                let text = self.take(length)?;
                self.text(&text)?;
                self.push(Object::Text(text));
            }
            // BININT, BININT1, BININT2, LONG1
            b'J' => {
                let number = i32::from_le_bytes(self.array()?);
                self.push(Object::Int(number.into()));
            }
            b'K' => {
                let [number] = self.array()?;
                self.push(Object::Int(number.into()));
            }
            b'M' => {
                let number = u16::from_le_bytes(self.array()?);
                self.push(Object::Int(number.into()));
            }
            0x8a => self.long()?,
            // BINFLOAT
            b'G' => {
                self.array::<8>()?;
                self.push(Object::Other);
            }
            // NONE, NEWTRUE, NEWFALSE
            b'N' | 0x88 | 0x89 => self.push(Object::Other),
            // EMPTY_LIST, APPEND, APPENDS
            b']' => self.push(Object::List),
            b'a' => {
                self.pop()?;
                self.list()?;
            }
            b'e' => {
                let length = self.above_mark()?;
                self.stack.truncate(self.stack.len() - length);
                self.list()?;
            }
            // EMPTY_DICT, SETITEM, SETITEMS
            b'}' => self.dictionary(),
            b's' => self.set(2)?,
            b'u' => {
                let length = self.above_mark()?;
                self.set(length)?;
            }
            // BINPUT, LONG_BINPUT, BINGET, LONG_BINGET
            b'q' => {
                let [number] = self.array()?;
                self.put(number.into())?;
            }
            b'r' => {
                let number = u32::from_le_bytes(self.array()?);
                self.put(number)?;
            }
            b'h' => {
                let [number] = self.array()?;
                self.get(number.into())?;
            }
            b'j' => {
                let number = u32::from_le_bytes(self.array()?);
                self.get(number)?;
            }
            // BINPERSID, REDUCE
            b'Q' => self.storage()?,
            b'R' => self.reduce()?,
            // BUILD: attributes, which are of no consequence.
            b'b' => {
                self.pop()?;
                self.top()?;
            }
            // STOP
            b'.' => return Ok(true),
            found => {
                return Err(format!(
                    "expected an instruction that torch.save writes, found {found:#04x} at byte \
                    {begin} of the pickle"
                ));
            }
        }
        Ok(false)
    }

    fn take(&mut self, length: usize) -> Result<Range<usize>, String> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or("expected the rest of the pickle, found its end")?;
        let begin = std::mem::replace(&mut self.at, end);
        Ok(begin..end)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let range = self.take(N)?;
        let mut out = [0; N];
        out.copy_from_slice(&self.bytes[range]);
        Ok(out)
    }

    fn text(&self, range: &Range<usize>) -> Result<&str, String> {
        std::str::from_utf8(&self.bytes[range.clone()])
            .map_err(|_| "expected text in UTF-8, found other bytes".into())
    }

    /// Up to the end of a line.
    fn line(&mut self) -> Result<Range<usize>, String> {
        let end = self.bytes[self.at..].iter().take(NAME + 1).position(|byte| *byte == b'\n');
        let line = self.take(end.ok_or("expected a name and the end of its line, found none")?)?;
        self.at += 1;
        Ok(line)
    }

    fn push(&mut self, object: Object) {
        self.stack.push(self.objects.len());
        self.objects.push(object);
    }

    /// The topmost object, if it is above the last mark.
    fn top(&self) -> Result<Id, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack
            .get(floor..)
            .and_then(|above| above.last().copied())
            .ok_or_else(|| Self::too_few().into())
    }

    fn pop(&mut self) -> Result<Id, String> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// How many objects are above the last mark, which is taken away.
    fn above_mark(&mut self) -> Result<usize, String> {
        let mark = self.marks.pop().ok_or("expected a mark on the pickle's stack, found none")?;
        Ok(self.stack.len() - mark)
    }

    fn too_few() -> &'static str {
        "expected more objects on the pickle's stack, found too few"
    }

    fn put(&mut self, number: u32) -> Result<(), String> {
        let top = self.top()?;
        self.memo.insert(number, top);
        Ok(())
    }

    fn get(&mut self, number: u32) -> Result<(), String> {
        let found = self.memo.get(&number).copied();
        self.stack.push(
            found.ok_or_else(|| format!("expected object {number} of the memo, found none"))?,
        );
        Ok(())
    }

    fn global(&mut self) -> Result<(), String> {
        let (module, name) = (self.line()?, self.line()?);
        let (module, name) = (self.text(&module)?, self.text(&name)?);
        let found = Global::of(module, name);
        let found = found.ok_or_else(|| {
            format!(
                "expected tensors and nothing else (a state_dict), found {module}.{name}, \
                which lmz does not run"
            )
        })?;
        self.push(Object::Global(found));
        Ok(())
    }

    /// A number of at most eight bytes.
    fn long(&mut self) -> Result<(), String> {
        let [length] = self.array()?;
        let range = self.take(length.into())?;
        let bytes = &self.bytes[range];
        if bytes.len() > 8 {
            return Err(format!("expected numbers of at most 8 bytes, found one of {length}"));
        }
        let negative = bytes.last().is_some_and(|byte| *byte > 127);
        let mut all = [if negative { 255 } else { 0 }; 8];
        all[..bytes.len()].copy_from_slice(bytes);
        self.push(Object::Int(i64::from_le_bytes(all)));
        Ok(())
    }

    fn tuple(&mut self, length: usize) -> Result<(), String> {
        let begin = self.items.len();
        let floor = self.marks.last().copied().unwrap_or(0);
        let from = self.stack.len().checked_sub(length).filter(|from| *from >= floor);
        self.items.extend(self.stack.drain(from.ok_or_else(Self::too_few)?..));
        self.push(Object::Tuple(begin..self.items.len()));
        Ok(())
    }

    fn list(&mut self) -> Result<(), String> {
        match self.objects[self.top()?] {
            Object::List => Ok(()),
            _ => Err("expected a list to append to, found something else".into()),
        }
    }

    fn dictionary(&mut self) {
        self.push(Object::Dictionary(self.dictionaries.len()));
        self.dictionaries.push(Vec::new());
    }

    /// Puts the topmost objects into the dictionary below them, as names and values in turn.
    fn set(&mut self, length: usize) -> Result<(), String> {
        let from = self.stack.len().checked_sub(length).filter(|_| length.is_multiple_of(2));
        let from =
            from.ok_or("expected names and values in turn, found another number of objects")?;
        let added: Vec<Id> = self.stack.drain(from..).collect();
        let Object::Dictionary(dictionary) = self.objects[self.top()?] else {
            return Err("expected a dictionary to add to, found something else".into());
        };
        self.dictionaries[dictionary]
            .extend(added.as_chunks::<2>().0.iter().map(|[name, value]| (*name, *value)));
        Ok(())
    }

    /// The objects in a tuple.
    fn parts(&self, id: Id) -> &[Id] {
        match &self.objects[id] {
            Object::Tuple(range) => &self.items[range.clone()],
            _ => &[],
        }
    }

    /// What a tensor's elements are in: ("storage", type, name, device, elements).
    fn storage(&mut self) -> Result<(), String> {
        let id = self.pop()?;
        let objects = &self.objects;
        let found = match self.parts(id)[..] {
            [what, kind, name, _, all] => {
                match (&objects[what], &objects[kind], &objects[name], &objects[all]) {
                    (
                        Object::Text(what),
                        Object::Global(Global::Storage(kind)),
                        Object::Text(name),
                        Object::Int(all),
                    ) if self.bytes[what.clone()] == *b"storage" && name.len() <= NAME => {
                        u64::try_from(*all)
                            .ok()
                            .map(|all| Object::Storage(*kind, name.clone(), all))
                    }
                    _ => None,
                }
            }
            _ => None,
        };
        self.push(
            found.ok_or("expected the type, name and size of a storage, found something else")?,
        );
        Ok(())
    }

    fn reduce(&mut self) -> Result<(), String> {
        let (arguments, what) = (self.pop()?, self.pop()?);
        let Object::Global(what) = self.objects[what] else {
            return Err("expected what makes a tensor or a dictionary, found something else".into());
        };
        self.make(what, arguments)
    }

    fn make(&mut self, what: Global, arguments: Id) -> Result<(), String> {
        match (what, self.parts(arguments)) {
            (Global::OrderedDict, _) => self.dictionary(),
            (Global::RebuildTensor, &[storage, offset, size, stride, ..]) => {
                let tensor = self.tensor(storage, offset, size, stride)?;
                self.push(Object::Tensor(self.tensors.len()));
                self.tensors.push(tensor);
            }
            (Global::RebuildParameter, &[tensor, ..]) => match self.objects[tensor] {
                Object::Tensor(_) => self.stack.push(tensor),
                _ => return Err("expected a parameter to be a tensor, found something else".into()),
            },
            // With what makes it, its class, and the arguments for the former.
            (Global::RebuildFromType, &[with, _, arguments, ..]) => match self.objects[with] {
                Object::Global(Global::RebuildTensor) => {
                    self.make(Global::RebuildTensor, arguments)?
                }
                _ => return Err("expected a tensor of a class, found something else".into()),
            },
            _ => {
                return Err(
                    "expected a tensor's storage, offset, size and stride, found something else"
                        .into(),
                );
            }
        }
        Ok(())
    }

    fn tensor(&self, storage: Id, offset: Id, size: Id, stride: Id) -> Result<Tensor, String> {
        let Object::Storage(kind, name, all) = &self.objects[storage] else {
            return Err("expected a tensor's storage, found something else".into());
        };
        let number = |id: &Id| match self.objects[*id] {
            Object::Int(number) => usize::try_from(number).ok(),
            _ => None,
        };
        let numbers = |id: Id| {
            let Object::Tuple(range) = &self.objects[id] else { return None };
            let within =
                Some(&self.items[range.clone()]).filter(|items| items.len() <= DIMENSIONS)?;
            within.iter().map(number).collect::<Option<Vec<usize>>>()
        };
        let (Some(offset), Some(shape), Some(stride)) =
            (number(&offset), numbers(size), numbers(stride))
        else {
            return Err(format!(
                "expected an offset, and sizes and strides of at most {DIMENSIONS} dimensions, \
                all at least 0; found others"
            ));
        };
        let storage = self.text(name)?.to_owned();
        Tensor::new(*kind, storage, *all, offset as u64, shape, stride)
    }
}
