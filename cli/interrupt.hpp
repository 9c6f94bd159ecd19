// Ctrl-C: noticed where a command can end with everything in order.
#pragma once

/// Thrown where an interrupted command ends; the program's exit code is then 130.
struct Interrupted {};

/// Lets the first SIGINT or SIGTERM be noticed by throw_if_interrupted(); a second one ends the program at once.
void notice_interrupts();

/// Does what a signal does, to end a read that waits in another thread.
void interrupt();

/// Errors: Interrupted.
void throw_if_interrupted();
