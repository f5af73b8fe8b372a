//! The bytes of a policy in a record: its text, as a byte string.

use bincode::de::Decoder;
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{Decode, Encode};

use crate::policy::PolicyText;

impl Encode for PolicyText {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.as_str().encode(encoder)
    }
}

impl<Context> Decode<Context> for PolicyText {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let text = String::decode(decoder)?;
        text.try_into()
            .map_err(|error: crate::policy::PolicyError| {
                DecodeError::OtherString(error.to_string())
            })
    }
}

bincode::impl_borrow_decode!(PolicyText);
