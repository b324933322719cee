//! The mouse.

use casemate_protocol::action::Button;
use x11rb::protocol::xproto::{
    BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ConnectionExt as _, MOTION_NOTIFY_EVENT,
};
use x11rb::protocol::xtest::ConnectionExt as _;

use crate::desktop::failure::Failure;
use crate::desktop::keyboard;
use crate::desktop::screen::Screen;

/// Moves to a place of the screen and presses a button `count` times.
///
/// # Errors
/// `desktop.lost`.
pub fn click(
    screen: &Screen,
    (x, y): (i16, i16),
    button: Button,
    count: u8,
) -> Result<(), Failure> {
    let connection = screen.connection();
    let number = match button {
        Button::Left => 1,
        Button::Middle => 2,
        Button::Right => 3,
    };
    let root = screen.root();
    // Detail 0: the place is absolute (XTEST 2.2, "XTestFakeInput").
    connection.xtest_fake_input(MOTION_NOTIFY_EVENT, 0, 0, root, x, y, 0)?;
    for _ in 0..count.clamp(1, 3) {
        connection.xtest_fake_input(BUTTON_PRESS_EVENT, number, 0, root, 0, 0, 0)?;
        connection.xtest_fake_input(BUTTON_RELEASE_EVENT, number, 0, root, 0, 0, 0)?;
    }
    keyboard::sync(connection)
}

/// Where the pointer is.
///
/// # Errors
/// `desktop.lost`.
pub fn place(screen: &Screen) -> Result<(i16, i16), Failure> {
    let reply = screen.connection().query_pointer(screen.root())?.reply()?;
    Ok((reply.root_x, reply.root_y))
}
