// Where the log is: whatever path a custom domain or a proxy puts before it, this file is one folder below the page.

/** @type {string} the page's path, such as `/` or `/log/` */
export const HOME = new URL('..', import.meta.url).pathname
