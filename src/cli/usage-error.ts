/** Ends a command with exit code 2 and a line that says what to do. */
export class UsageError extends Error {}
