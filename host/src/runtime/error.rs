//! Why a component can't be used.

/// What is wrong with a component. Each has a stable code and says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[serde(tag = "code", content = "detail", rename_all = "kebab-case")]
pub enum ComponentError {
    /// Not a component, or damaged.
    #[error(
        "the file is not a valid WebAssembly component ({0}); build it for wasm32-wasip2, or make a \
         component of a module with `wasm-tools component new`"
    )]
    Invalid(String),
    /// It imports what no host function of ours is.
    #[error(
        "the component imports {}, which Caspian does not offer; remove the dependency that needs it \
         (offered are caspian:workflow@0.1.0 and wasi:cli, io, clocks, random, filesystem, sockets @0.2)",
        .0.join(", ")
    )]
    ForeignImport(Vec<String>),
    /// It has no `handle` of our contract.
    #[error(
        "the component does not fit the world caspian:workflow/workflow@0.1.0 ({0}); build it with the current SDK"
    )]
    World(String),
    /// Compiling took too long.
    #[error(
        "compiling the component took longer than {0} s and was stopped; make it smaller, or raise runtime.compile_seconds"
    )]
    Deadline(u64),
    /// Compiling needed too much, or the compiler died.
    #[error("compiling the component failed ({0}); make it smaller, or raise runtime.compile_memory_mib")]
    Compiler(String),
    /// Too large.
    #[error(
        "the component is larger than {0} MiB; strip it (profile with strip = true), or raise runtime.max_component_mib"
    )]
    TooLarge(u32),
    /// The file is not there or can't be read or written.
    #[error("the component's file can't be used ({0}); deploy the workflow again")]
    File(String),
}

impl ComponentError {
    /// Stable code for API and logs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "component-invalid",
            Self::ForeignImport(_) => "component-foreign-import",
            Self::World(_) => "component-world",
            Self::Deadline(_) => "component-deadline",
            Self::Compiler(_) => "component-compiler",
            Self::TooLarge(_) => "component-too-large",
            Self::File(_) => "component-file",
        }
    }
}
