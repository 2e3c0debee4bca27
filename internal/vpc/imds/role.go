package imds

import (
	"context"
	"errors"
	"time"
)

// profile is iam/info.
func (i *Instance) profile(v Version) leaf {
	return func(ctx context.Context) (string, error) {
		c, err := i.Credentials(ctx, v)
		if err != nil {
			return refusal(err)
		}
		return object(
			member{"Code", "Success"}, member{"LastUpdated", stamp(c.Updated)},
			member{"InstanceProfileArn", i.ProfileARN}, member{"InstanceProfileId", i.ProfileID},
		), nil
	}
}

// session is iam/security-credentials/ROLE.
func (i *Instance) session(v Version) leaf {
	return func(ctx context.Context) (string, error) {
		c, err := i.Credentials(ctx, v)
		if err != nil {
			return refusal(err)
		}
		return object(
			member{"Code", "Success"}, member{"LastUpdated", stamp(c.Updated)}, member{"Type", "AWS-HMAC"},
			member{"AccessKeyId", c.AccessKeyID}, member{"SecretAccessKey", c.SecretAccessKey},
			member{"Token", c.Token}, member{"Expiration", stamp(c.Expires)},
		), nil
	}
}

// refusal is what stands for credentials that the role may not be used for.
func refusal(err error) (string, error) {
	var r *Refusal
	if !errors.As(err, &r) {
		return "", err
	}
	return object(member{"Code", r.Code}, member{"Message", r.Message}, member{"LastUpdated", stamp(r.Time)}), nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
