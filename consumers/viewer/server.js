/**
 * Takes the place of the elements where there is no DOM, so that a page that imports them can be rendered on a server.
 * The markup contains the tags, and the browser defines the elements.
 */
export class AuditlaneViewer {}
export class AuditlaneSettings {}
