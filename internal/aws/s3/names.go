package s3

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode/utf8"
)

var bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// checkBucketName holds names to S3's rules
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html).
func checkBucketName(name string) error {
	_, err := netip.ParseAddr(name)
	if !bucketPattern.MatchString(name) || strings.Contains(name, "..") || err == nil {
		return errInvalidBucket
	}
	for _, prefix := range []string{"xn--", "sthree-"} {
		if strings.HasPrefix(name, prefix) {
			return errInvalidBucket
		}
	}
	for _, suffix := range []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"} {
		if strings.HasSuffix(name, suffix) {
			return errInvalidBucket
		}
	}
	return nil
}

// mostOfKey is the length of a key in bytes.
const mostOfKey = 1024

// checkKey takes any key of 1 to 1024 bytes of UTF-8: it never becomes a path.
func checkKey(key string) error {
	switch {
	case key == "" || !utf8.ValidString(key):
		return errInvalidURI
	case len(key) > mostOfKey:
		return errKeyTooLong
	}
	return nil
}

var versionForm = regexp.MustCompile(`^(null|[A-Za-z0-9_-]{32})$`)

// checkVersion refuses what is no version's id.
func checkVersion(version *string) error {
	if version == nil || versionForm.MatchString(*version) {
		return nil
	}
	return invalidArgument("Invalid version id specified")
}
