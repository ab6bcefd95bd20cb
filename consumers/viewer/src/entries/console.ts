/** The operators' console: keeps what it shows fresh. */
export {};
