package cloudformation

import (
	"context"
	"io"
	"net/netip"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/template"
)

// maxByURL is the size of a template that a call names by its URL, in bytes.
const maxByURL = 1 << 20

// text is the template that a call carries or names.
func (s *Service) text(ctx context.Context, body, address *string) (string, error) {
	switch {
	case aws.ToString(body) != "" && aws.ToString(address) != "":
		return "", api.ValidationError("You cannot specify more than one of Template URL and Template Body.")
	case aws.ToString(address) != "":
		return s.fetch(ctx, *address)
	case aws.ToString(body) == "":
		return "", api.ValidationError("Either Template URL or Template Body must be specified.")
	case len(*body) > template.MaxBody:
		return "", api.ValidationError("1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to %d", template.MaxBody)
	}
	return *body, nil
}

// fetch reads a template from S3 here, as the caller. No host is ever dialled.
func (s *Service) fetch(ctx context.Context, address string) (string, error) {
	bucket, key, ok := object(address)
	if !ok {
		return "", api.ValidationError("TemplateURL must be a supported URL.")
	}
	who, err := s.actor(ctx, "", kept(api.CallerFrom(ctx)))
	if err != nil {
		return "", err
	}
	out, err := s.door.Do(ctx, who, "s3", "GetObject", &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return "", api.ValidationError("S3 error: %s\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html", api.Message(err))
	}
	body := out.(*s3.GetObjectOutput).Body
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, maxByURL+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxByURL {
		return "", api.ValidationError("Template may not exceed %d bytes in size.", maxByURL)
	}
	return string(text), nil
}

// object is what a template's URL names: of S3's own names, or of an endpoint given by
// its address, which has the bucket in the path.
func object(address string) (bucket, key string, ok bool) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return "", "", false
	}
	host, path := u.Hostname(), strings.TrimPrefix(u.Path, "/")
	if name, isAWS := strings.CutSuffix(host, ".amazonaws.com"); isAWS {
		for _, mark := range []string{".s3.", ".s3-"} {
			if i := strings.Index(name+".", mark); i > 0 {
				return name[:i], path, path != ""
			}
		}
		if name != "s3" && !strings.HasPrefix(name, "s3.") && !strings.HasPrefix(name, "s3-") {
			return "", "", false
		}
	} else if _, err := netip.ParseAddr(host); err != nil && host != "localhost" && !strings.HasSuffix(host, ".localhost") {
		return "", "", false
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key, bucket != "" && key != ""
}
