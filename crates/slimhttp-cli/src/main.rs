//! The `slimhttp` program.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let status = slimhttp_cli::run(std::env::args_os().skip(1));
    std::process::ExitCode::from(u8::try_from(status).unwrap_or(1))
}
