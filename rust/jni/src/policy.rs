//! What a native method answers when something inside it goes wrong: a status, as always.

use std::any::Any;

use jni::Env;
use jni::errors::{Error, ErrorPolicy, Result};

use crate::status;

/// Failures and panics become [`status::BUG`]; pending exceptions are left for Java to see.
#[derive(Debug)]
pub(crate) struct Status;

/// What a method gives back for a defect.
pub(crate) trait Defect: Default {
    /// The value.
    fn defect() -> Self;
}

impl Defect for i32 {
    fn defect() -> Self {
        status::BUG
    }
}

impl Defect for i64 {
    fn defect() -> Self {
        status::BUG.into()
    }
}

impl Defect for () {
    fn defect() -> Self {}
}

impl<T: Defect> ErrorPolicy<T, Error> for Status {
    type Captures<'unowned_env_local: 'native_method, 'native_method> = ();

    fn on_error<'unowned_env_local: 'native_method, 'native_method>(
        _env: &mut Env<'unowned_env_local>,
        _captures: &mut Self::Captures<'unowned_env_local, 'native_method>,
        _error: Error,
    ) -> Result<T> {
        Ok(T::defect())
    }

    fn on_panic<'unowned_env_local: 'native_method, 'native_method>(
        _env: &mut Env<'unowned_env_local>,
        _captures: &mut Self::Captures<'unowned_env_local, 'native_method>,
        _payload: Box<dyn Any + Send + 'static>,
    ) -> Result<T> {
        // The panic's message is out on standard error.
        Ok(T::defect())
    }
}
