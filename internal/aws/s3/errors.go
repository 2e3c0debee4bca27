package s3

import (
	"net/http"

	"github.com/eksact/eksact/internal/aws/api"
)

// S3's errors
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
var (
	errNoSuchBucket    = api.Errorf(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
	errNoSuchKey       = api.Errorf(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	errNoSuchUpload    = api.Errorf(http.StatusNotFound, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.")
	errInvalidBucket   = api.Errorf(http.StatusBadRequest, "InvalidBucketName", "The specified bucket is not valid.")
	errOwnedByYou      = api.Errorf(http.StatusConflict, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.")
	errNotEmpty        = api.Errorf(http.StatusConflict, "BucketNotEmpty", "The bucket you tried to delete is not empty")
	errVersionsLeft    = api.Errorf(http.StatusConflict, "BucketNotEmpty", "The bucket you tried to delete is not empty. You must delete all versions in the bucket.")
	errNoSuchVersion   = api.Errorf(http.StatusNotFound, "NoSuchVersion", "The specified version does not exist.")
	errMarker          = api.Errorf(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
	errNoLifecycle     = api.Errorf(http.StatusNotFound, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")
	errKeyTooLong      = api.Errorf(http.StatusBadRequest, "KeyTooLongError", "Your key is too long")
	errInvalidURI      = api.Errorf(http.StatusBadRequest, "InvalidURI", "Couldn't parse the specified URI.")
	errEntityTooLarge  = api.Errorf(http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
	errEntityTooSmall  = api.Errorf(http.StatusBadRequest, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
	errInvalidPart     = api.Errorf(http.StatusBadRequest, "InvalidPart", "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
	errPartOrder       = api.Errorf(http.StatusBadRequest, "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.")
	errPrecondition    = api.Errorf(http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
	errNotModified     = api.Errorf(http.StatusNotModified, "NotModified", "Not Modified")
	errInvalidRange    = api.Errorf(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable")
	errMalformedXML    = api.Errorf(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	errNoPolicy        = api.Errorf(http.StatusNotFound, "NoSuchBucketPolicy", "The bucket policy does not exist")
	errNoTagSet        = api.Errorf(http.StatusNotFound, "NoSuchTagSet", "The TagSet does not exist")
	errNoBlock         = api.Errorf(http.StatusNotFound, "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")
	errMetadata        = api.Errorf(http.StatusBadRequest, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size")
	errNoACLs          = api.Errorf(http.StatusBadRequest, "AccessControlListNotSupported", "The bucket does not allow ACLs")
	errAnonymousDenied = api.Errorf(http.StatusForbidden, "AccessDenied", "Access Denied")
	errCopyToItself    = api.Errorf(http.StatusBadRequest, "InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
)

func invalidArgument(format string, args ...any) error {
	return api.Errorf(http.StatusBadRequest, "InvalidArgument", format, args...)
}

func invalidRequest(format string, args ...any) error {
	return api.Errorf(http.StatusBadRequest, "InvalidRequest", format, args...)
}

// notImplemented refuses by name what AWS has and this doesn't.
func notImplemented(what string) error {
	return api.Errorf(http.StatusNotImplemented, "NotImplemented", "%s is not implemented.", what)
}

func accessDenied(sentence string) error {
	return api.Errorf(http.StatusForbidden, "AccessDenied", "%s", sentence)
}
