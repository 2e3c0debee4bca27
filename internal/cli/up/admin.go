package up

import (
	"context"
	"errors"
	"slices"

	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/hint"
)

// errAdmin says that the account is up, and that its admin may not do what was left
// to do. The daemon goes on: only while it runs can the account be mended.
var errAdmin = errors.New("the account is up, but its user admin can't make what is missing")

// asAdmin does something in the account as its admin.
func asAdmin(ctx context.Context, client *control.Client, o options, do func(account) error) error {
	var keys control.Credentials
	err := client.Call(ctx, "/credentials", nil, &keys)
	if err != nil && ctx.Err() == nil {
		return adminCannot(err)
	}
	if err == nil {
		err = do(dial(keys, o.config.URL(), o.config.Region))
	}
	if refused(err) {
		return adminCannot(err)
	}
	return err
}

// adminCannot is errAdmin with the reason, and how the root user mends it.
func adminCannot(reason error) error {
	return hint.Wrap(&adminError{reason},
		`eval "$(eksact env --root)" makes this shell the account's root user, whom no policy limits`,
		"aws iam list-attached-user-policies --user-name admin, list-user-policies and get-user show what limits it",
		"aws iam attach-user-policy --user-name admin --policy-arn arn:aws:iam::aws:policy/AdministratorAccess",
		"eksact up then goes on; eksact iam explain tells what refused it")
}

type adminError struct{ reason error }

func (e *adminError) Error() string   { return errAdmin.Error() + ": " + e.reason.Error() }
func (e *adminError) Unwrap() []error { return []error{errAdmin, e.reason} }

// refused says whether a service would not do it for this caller. Each protocol has
// its own codes for it.
func refused(err error) bool {
	var e interface{ ErrorCode() string }
	return errors.As(err, &e) && slices.Contains([]string{
		"AccessDenied", "AccessDeniedException", "UnauthorizedOperation",
		"InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure",
	}, e.ErrorCode())
}
