//go:build !release

package programs

// carried tells whether this executable carries the other programs.
func carried() bool { return false }

// payload is empty in a development build.
func payload() bundle { return bundle{} }
