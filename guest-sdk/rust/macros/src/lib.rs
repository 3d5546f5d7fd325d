//! The attribute `#[caspian_sdk::workflow]`.
//!
//! It leaves the function as it is and adds what exports it as the component's `handle`. It reads no
//! more of the function than its name: types are checked by the compiler, in the code that it adds. What it
//! can't export (no function, `async`, generics, a second argument to the attribute) is a compile
//! error at the place in question.

use proc_macro::{Delimiter, Ident, Span, TokenStream, TokenTree};

/// Makes a function the workflow: `fn handle(event: Event) -> Result<T, E>`.
///
/// `T` is `()`, `String` or `Option<String>` (the text is kept as the run's result); `E` is whatever
/// converts into `Failure`. A component has exactly one workflow.
#[proc_macro_attribute]
pub fn workflow(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let added = match arguments.into_iter().next() {
        Some(argument) => {
            Err(Refusal { at: argument.span(), why: "#[workflow] takes no arguments; remove them" })
        }
        None => function_name(item.clone()),
    };
    let added = match added {
        Ok(name) => export(&name),
        Err(refusal) => refusal.into_error(),
    };
    let mut output = item;
    output.extend(added);
    output
}

struct Refusal {
    at: Span,
    why: &'static str,
}

impl Refusal {
    fn into_error(self) -> TokenStream {
        spanned(&format!("::core::compile_error!({:?});", self.why), self.at, None)
    }
}

/// The name of a plain function.
fn function_name(item: TokenStream) -> Result<Ident, Refusal> {
    let whole = Span::call_site();
    let mut tokens = item.into_iter();
    while let Some(token) = tokens.next() {
        let TokenTree::Ident(word) = token else { continue };
        match word.to_string().as_str() {
            "async" => {
                let why =
                    "a workflow is not async: calls to the host return when they are done; remove `async`";
                return Err(Refusal { at: word.span(), why });
            }
            "fn" => {
                let Some(TokenTree::Ident(name)) = tokens.next() else { break };
                return match tokens.next() {
                    Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => Ok(name),
                    _ => Err(Refusal { at: name.span(), why: "a workflow has no generics; remove them" }),
                };
            }
            "struct" | "enum" | "impl" | "mod" | "trait" | "static" | "type" | "use" => break,
            _ => {}
        }
    }
    Err(Refusal {
        at: whole,
        why: "#[workflow] belongs on a function: fn handle(event: Event) -> Result<(), Failure>",
    })
}

fn export(name: &Ident) -> TokenStream {
    const CODE: &str = "
        const _: () = {
            struct Workflow;
            impl ::caspian_sdk::raw::Guest for Workflow {
                fn handle(
                    event: ::caspian_sdk::raw::Event,
                ) -> ::core::result::Result<
                    ::core::option::Option<::std::string::String>,
                    ::caspian_sdk::raw::Failure,
                > {
                    ::caspian_sdk::__run(__FUNCTION__, event)
                }
            }
            ::caspian_sdk::raw::export!(Workflow with_types_in ::caspian_sdk::raw);
        };
    ";
    spanned(CODE, Span::mixed_site(), Some(name))
}

/// The tokens of a code text, at a place; `__FUNCTION__` in it becomes the name, at its own place, so
/// that a wrong signature is shown there.
fn spanned(code: &str, at: Span, name: Option<&Ident>) -> TokenStream {
    // The texts are this file's own; one that does not parse would be found by the first build.
    let tokens: TokenStream = code.parse().unwrap_or_default();
    place(tokens, at, name)
}

fn place(tokens: TokenStream, at: Span, name: Option<&Ident>) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token| match (&token, name) {
            (TokenTree::Ident(word), Some(name)) if word.to_string() == "__FUNCTION__" => {
                TokenTree::Ident(name.clone())
            }
            (TokenTree::Group(group), _) => {
                let inner = place(group.stream(), at, name);
                let mut group = proc_macro::Group::new(group.delimiter(), inner);
                group.set_span(at);
                TokenTree::Group(group)
            }
            _ => {
                token.set_span(at);
                token
            }
        })
        .collect()
}
