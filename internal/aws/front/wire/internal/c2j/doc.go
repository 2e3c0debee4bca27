// Package c2j reads AWS's public API models (service-2.json, "coral to JSON")
// and renders them as wire tables. The table generator and the tests that run
// the public protocol vectors use it; the programs do not.
package c2j
