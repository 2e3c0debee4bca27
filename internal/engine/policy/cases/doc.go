// Package cases decides requests that are written down.
package cases
