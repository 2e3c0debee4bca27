// Package cli tests the command line as its users meet it: what it says, on which
// stream and with which exit status, when all is well and when it is not. The
// scripts are in testdata, in the language of rogpeppe/go-internal's testscript.
//
// Of a start that is refused, nothing may be left: see package lab.
package cli
