package oidc

// Bound is what a service account's token says of whose it is.
// https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens
type Bound struct {
	Namespace         string
	ServiceAccount    string
	ServiceAccountUID string
	Pod               string // "" of a token that is bound to no pod
	PodUID            string
}

// Kubernetes reads the claim kubernetes.io.
func (t *Token) Kubernetes() (b Bound, err error) {
	claim, ok := t.claims["kubernetes.io"].(map[string]any)
	if !ok {
		return b, &Error{Kind: MissingClaim, Claim: "kubernetes.io"}
	}
	text := func(of any, name string) string {
		m, _ := of.(map[string]any)
		s, _ := m[name].(string)
		return s
	}
	b = Bound{
		Namespace: text(claim, "namespace"), ServiceAccount: text(claim["serviceaccount"], "name"), ServiceAccountUID: text(claim["serviceaccount"], "uid"),
		Pod: text(claim["pod"], "name"), PodUID: text(claim["pod"], "uid"),
	}
	if b.Namespace == "" || b.ServiceAccount == "" || t.Subject != "system:serviceaccount:"+b.Namespace+":"+b.ServiceAccount {
		return b, malformed("claim kubernetes.io is not of the subject %s", t.Subject)
	}
	return b, nil
}
