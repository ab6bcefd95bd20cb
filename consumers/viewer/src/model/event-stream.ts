/** Parses server-sent events. Unlike most parsers, it also reports an id without data. */

export interface Message {
  id: string | null;
  event: string;
  data: string;
}

/** Takes chunks of text. Calls `onMessage` for every message, and `onRetry` with the milliseconds in a `retry` field. */
export class EventStreamParser {
  private buffer = "";
  private id: string | null = null;
  private event = "";
  private data: string[] = [];

  constructor(
    private readonly onMessage: (message: Message) => void,
    private readonly onRetry: (ms: number) => void = () => {},
  ) {}

  feed(chunk: string): void {
    const lines = (this.buffer + chunk).split("\n");
    this.buffer = lines.pop() ?? "";
    for (const line of lines) this.line(line.endsWith("\r") ? line.slice(0, -1) : line);
  }

  private line(line: string): void {
    if (line === "") this.dispatch();
    const colon = line.indexOf(":");
    if (line === "" || colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "id" && !value.includes("\0")) this.id = value;
    else if (name === "event") this.event = value;
    else if (name === "data") this.data.push(value);
    else if (name === "retry" && /^\d+$/.test(value)) this.onRetry(Number(value));
  }

  private dispatch(): void {
    if (this.id !== null || this.data.length) {
      this.onMessage({ id: this.id, event: this.event || "message", data: this.data.join("\n") });
    }
    this.id = null;
    this.event = "";
    this.data = [];
  }
}
