//! Judges a workflow without running any of it: does it parse, does it name only
//! what exists, does it call verbs as they are, and is what it does granted.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use casemate_protocol::bundle::Bundle;
use casemate_protocol::job::Grants;
use casemate_protocol::lease::Diagnosis;
use casemate_protocol::source::MAIN;
use starlark::analysis::{AstModuleLint, EvalSeverity};
use starlark::codemap::{CodeMap, Span};
use starlark::docs::{DocFunction, DocItem, DocMember};
use starlark::environment::Globals;
use starlark::syntax::AstModule;
use starlark::typing::{AstModuleTypecheck, Interface};
use starlark_syntax::syntax::ast::{ArgumentP, AstArgument, AstExpr, AstLiteral, Expr};
use starlark_syntax::syntax::module::AstModuleFields as _;

use super::failure::one_line;
use super::{interpreter, verbs};

/// Lints whose advice is about taste or speed, not about a workflow going wrong.
const NOT_OURS: &[&str] = &[
    "dict-without-star-star",
    "eager-and-inefficient-bool-check",
    "inefficient-bool-check",
    "redundant-continue",
    "redundant-return",
    "underscore-definition",
    "unused-argument",
    "unused-assign",
    "using-ignored",
];

/// Everything that is wrong with a bundle; empty if nothing is.
pub fn check(bundle: &Bundle) -> Vec<Diagnosis> {
    if let Err(e) = bundle.check() {
        return vec![Diagnosis {
            file: "workflow.toml".to_owned(),
            line: 0,
            column: 0,
            message: one_line(&e.to_string()),
        }];
    }
    let globals = verbs::globals(&bundle.parameters, &[]);
    let mut check = Check {
        files: interpreter::texts(bundle),
        verbs: signatures(&globals),
        globals,
        grants: &bundle.grants,
        interfaces: HashMap::new(),
        diagnoses: Vec::new(),
    };
    check.file(MAIN, &mut Vec::new());
    let unread: Vec<&str> = check
        .files
        .keys()
        .copied()
        .filter(|path| !check.interfaces.contains_key(*path))
        .collect();
    for path in unread {
        check.file(path, &mut Vec::new());
    }
    let mut diagnoses = check.diagnoses;
    diagnoses.sort_by(|a, b| {
        (&a.file, a.line, a.column, &a.message).cmp(&(&b.file, b.line, b.column, &b.message))
    });
    diagnoses.dedup();
    diagnoses
}

struct Check<'a> {
    files: BTreeMap<&'a str, &'a str>,
    globals: Globals,
    verbs: BTreeMap<String, DocFunction>,
    grants: &'a Grants,
    /// Files that were checked, with the names that they offer to others.
    interfaces: HashMap<String, Interface>,
    diagnoses: Vec<Diagnosis>,
}

impl Check<'_> {
    fn say(&mut self, codemap: &CodeMap, span: Span, message: impl AsRef<str>) {
        let begin = codemap.resolve_span(span).begin;
        self.diagnoses.push(Diagnosis {
            file: codemap.filename().to_owned(),
            line: number(begin.line),
            column: number(begin.column),
            message: one_line(message.as_ref()),
        });
    }

    fn say_error(&mut self, path: &str, error: &starlark::Error) {
        let message = one_line(&error.without_diagnostic().to_string());
        let message = match error.kind() {
            starlark::ErrorKind::Parser(_) => with_advice(message, error),
            _ => message,
        };
        let begin = error.span().map(|span| span.resolve_span().begin);
        self.diagnoses.push(Diagnosis {
            file: error.span().map_or(path, |span| span.filename()).to_owned(),
            line: begin.map_or(0, |at| number(at.line)),
            column: begin.map_or(0, |at| number(at.column)),
            message,
        });
    }

    /// Checks one file, and first the files that it loads.
    fn file(&mut self, path: &str, above: &mut Vec<String>) {
        let text = self.files.get(path).copied().unwrap_or_default();
        let ast = match interpreter::parse(path, text) {
            Ok(ast) => ast,
            Err(error) => {
                self.say_error(path, &error);
                self.interfaces
                    .insert(path.to_owned(), Interface::default());
                return;
            }
        };
        self.loads(path, &ast, above);
        self.lints(&ast);
        self.granted(&ast);
        let (errors, _, interface, _) = ast.typecheck(&self.globals, &self.interfaces);
        for error in &errors {
            self.say_error(path, error);
        }
        self.interfaces.insert(path.to_owned(), interface);
    }

    fn loads(&mut self, path: &str, ast: &AstModule, above: &mut Vec<String>) {
        above.push(path.to_owned());
        for load in ast.loads() {
            let id = load.module_id;
            let (at, file) = (load.span.span, &load.span.file);
            if !self.files.contains_key(id) {
                let known: Vec<_> = self.files.keys().copied().collect();
                let why = format!(
                    "`{id}` is no file of this workflow; there are {}",
                    known.join(", ")
                );
                self.say(file, at, why);
                self.interfaces.entry(id.to_owned()).or_default();
            } else if above.iter().any(|name| name == id) {
                self.say(
                    file,
                    at,
                    format!("`{id}` is loaded while it is being loaded"),
                );
            } else if !self.interfaces.contains_key(id) {
                self.file(id, above);
            }
        }
        above.pop();
    }

    fn lints(&mut self, ast: &AstModule) {
        let names: HashSet<String> = self
            .globals
            .names()
            .map(|name| name.as_str().to_owned())
            .collect();
        for lint in ast.lint(Some(&names)) {
            if matches!(lint.severity, EvalSeverity::Disabled)
                || NOT_OURS.contains(&lint.short_name.as_str())
            {
                continue;
            }
            let begin = lint.location.resolve_span().begin;
            self.diagnoses.push(Diagnosis {
                file: lint.location.filename().to_owned(),
                line: number(begin.line),
                column: number(begin.column),
                message: one_line(&lint.problem),
            });
        }
    }

    /// What the file names and calls, against the grants. A verb is found by its
    /// name, so giving it another name first does not hide it; an application or
    /// output is found where it is written as text. What a script computes is
    /// checked when it is asked for, by agentd.
    fn granted(&mut self, ast: &AstModule) {
        let own = assigned(ast);
        let codemap = ast.codemap().clone();
        let mut said = Vec::new();
        ast.statement()
            .visit_expr(|expr| each_expr(expr, &mut |expr| self.expr(expr, &own, &mut said)));
        for (span, message) in said {
            self.say(&codemap, span, message);
        }
    }

    fn expr(&self, expr: &AstExpr, own: &BTreeSet<String>, said: &mut Vec<(Span, String)>) {
        match &expr.node {
            Expr::Identifier(ident) if !own.contains(&ident.node.ident) => {
                let Some(verb) = verbs::needs(&ident.node.ident) else {
                    return;
                };
                if !self.grants.verbs.contains(&verb) {
                    let (name, word) = (&ident.node.ident, verb.word());
                    let why = format!(
                        "`{name}` needs the verb `{word}`; add \"{word}\" to grants.verbs in workflow.toml"
                    );
                    said.push((expr.span, why));
                }
            }
            Expr::Call(callee, arguments) => {
                let Expr::Identifier(ident) = &callee.node else {
                    return;
                };
                if own.contains(&ident.node.ident) {
                    return;
                }
                if let Some(verb) = self.verbs.get(&ident.node.ident) {
                    said.extend(shape(&ident.node.ident, verb, expr.span, &arguments.args));
                }
                let texts: Vec<_> = arguments
                    .args
                    .iter()
                    .map(|argument| match &argument.node {
                        ArgumentP::Positional(value) => literal(value),
                        _ => None,
                    })
                    .collect();
                said.extend(self.call(&ident.node.ident, &texts));
            }
            _ => {}
        }
    }

    fn call(&self, verb: &str, texts: &[Option<(Span, &str)>]) -> Option<(Span, String)> {
        let text = |index: usize| texts.get(index).copied().flatten();
        let not_an_output = |name: &str| !self.grants.outputs.iter().any(|output| output == name);
        match verb {
            "open" | "close" => {
                let (span, app) = text(0)?;
                (!self.grants.applications.iter().any(|name| name == app)).then(|| {
                    let why = format!(
                        "the application `{app}` is not granted; add \"{app}\" to grants.applications in workflow.toml"
                    );
                    (span, why)
                })
            }
            "write_file" | "template" => {
                let (span, path) = text(usize::from(verb == "template"))?;
                match path.strip_prefix("out/") {
                    None => Some((
                        span,
                        format!("`{path}` is not under out/, where outputs go"),
                    )),
                    Some(name) if not_an_output(name) => Some((
                        span,
                        format!(
                            "the output `{name}` is not granted; add \"{name}\" to grants.outputs in workflow.toml"
                        ),
                    )),
                    Some(_) => None,
                }
            }
            _ => None,
        }
    }
}

/// Whether a call gives a verb the arguments that it has.
fn shape(
    name: &str,
    verb: &DocFunction,
    call: Span,
    arguments: &[AstArgument],
) -> Option<(Span, String)> {
    let params = &verb.params;
    let positional: Vec<_> = params.pos_only.iter().chain(&params.pos_or_named).collect();
    let named: Vec<_> = params
        .pos_or_named
        .iter()
        .chain(&params.named_only)
        .collect();
    let mut given = 0usize;
    let mut spread = false;
    for argument in arguments {
        match &argument.node {
            ArgumentP::Positional(_) => {
                given = given.saturating_add(1);
                if given > positional.len() && params.args.is_none() {
                    let why = format!("`{name}` takes {} arguments by position", positional.len());
                    return Some((argument.span, why));
                }
            }
            ArgumentP::Named(word, _) => {
                if params.kwargs.is_none() && !named.iter().any(|p| p.name == word.node) {
                    let known: Vec<_> = named.iter().map(|p| p.name.as_str()).collect();
                    let known = if known.is_empty() {
                        "none by name".to_owned()
                    } else {
                        known.join(", ")
                    };
                    let why = format!(
                        "`{name}` has no argument `{}`; there are {known}",
                        word.node
                    );
                    return Some((argument.span, why));
                }
            }
            ArgumentP::Args(_) | ArgumentP::KwArgs(_) => spread = true,
        }
    }
    let missing = positional
        .iter()
        .skip(given)
        .find(|param| param.default_value.is_none())?;
    (!spread).then(|| {
        (
            call,
            format!("`{name}` needs the argument `{}`", missing.name),
        )
    })
}

/// The verbs as they are documented, by name.
fn signatures(globals: &Globals) -> BTreeMap<String, DocFunction> {
    globals
        .documentation()
        .members
        .into_iter()
        .filter_map(|(name, item)| match item {
            DocItem::Member(DocMember::Function(function)) => Some((name, function)),
            _ => None,
        })
        .filter(|(name, _)| verbs::is_ours(name))
        .collect()
}

/// Starlark's parser says which token it did not expect; people come with Python.
fn with_advice(message: String, error: &starlark::Error) -> String {
    let word = error.span().map(|span| span.source_span().to_owned());
    let advice = match word.as_deref() {
        Some("while") => "Starlark has no `while`: use `for attempt in range(20):` with `break`",
        Some("try" | "except" | "raise") => {
            "Starlark has no exceptions: a verb that fails ends the job; `try_wait` gives False instead"
        }
        Some("import" | "from") => {
            "Starlark has no `import`: use load(\"file.star\", \"name\") for files of this workflow"
        }
        Some("class") => "Starlark has no classes: use struct(name = value)",
        _ => return message,
    };
    format!("{message}; {advice}")
}

fn each_expr<'a>(expr: &'a AstExpr, see: &mut impl FnMut(&'a AstExpr)) {
    see(expr);
    expr.visit_expr(|inner| each_expr(inner, see));
}

fn literal(expr: &AstExpr) -> Option<(Span, &str)> {
    match &expr.node {
        Expr::Literal(AstLiteral::String(text)) => Some((expr.span, &text.node)),
        _ => None,
    }
}

/// Names that the file gives a meaning of its own, anywhere in it.
fn assigned(ast: &AstModule) -> BTreeSet<String> {
    use starlark_syntax::syntax::ast::{AssignTarget, AstAssignTarget, AstStmt, Stmt};
    fn target(at: &AstAssignTarget, names: &mut BTreeSet<String>) {
        match &at.node {
            AssignTarget::Identifier(ident) => {
                names.insert(ident.node.ident.clone());
            }
            AssignTarget::Tuple(parts) => parts.iter().for_each(|part| target(part, names)),
            _ => {}
        }
    }
    fn statement(at: &AstStmt, names: &mut BTreeSet<String>) {
        match &at.node {
            Stmt::Assign(assign) => target(&assign.lhs, names),
            Stmt::For(each) => target(&each.var, names),
            Stmt::Def(def) => {
                names.insert(def.name.node.ident.clone());
                let parameters = def.params.iter().filter_map(|p| p.node.ident());
                names.extend(parameters.map(|ident| ident.node.ident.clone()));
            }
            _ => {}
        }
        at.visit_stmt(|inner| statement(inner, names));
    }
    let mut names = BTreeSet::new();
    statement(ast.statement(), &mut names);
    names
}

/// From the parser's count from zero to people's from one.
fn number(at: usize) -> u32 {
    u32::try_from(at.saturating_add(1)).unwrap_or(u32::MAX)
}
