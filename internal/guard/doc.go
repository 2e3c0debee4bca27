// Package guard holds tests of the project itself: that packages import only
// what they may, that the pure ones are pure, that every package says what it is
// for, and that the programs built are what they claim.
//
// A rule that only a document states is broken by the first who has not read
// it. The rules are explained in docs/ARCHITECTURE.md.
package guard
