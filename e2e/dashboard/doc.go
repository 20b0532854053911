// Package dashboard looks at the dashboard with a real browser, Debian's Chromium: every page in both widths and both themes.
package dashboard
