package walkthrough

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/test/lab"
	"github.com/eksact/eksact/test/sdks"
	"github.com/eksact/eksact/test/uplink"
)

// Step 5: IAM roles for service accounts, and what came after them. What eksctl does
// in the workshop is done by the calls that it makes.
func TestStepFive(t *testing.T) {
	lab.Need(t)
	machine := uplink.New(t)
	l := lab.New(t)
	spec, applications := applicationImage(t)
	l.Images(t, "test/images/amazonlinux.yaml", spec)
	l.On = machine.Here
	l.Up(t)
	sh := l.Shell().AWS(t, "2")
	sh.Must(t, "aws s3 mb s3://workshop-data && echo hello | aws s3 cp - s3://workshop-data/hello.txt")
	lab.Together(t, // each has service accounts and roles of its own
		lab.Part{Name: "the issuer", Test: func(t *testing.T) { issuer(t, sh, l.Laptop()) }},
		lab.Part{Name: "a role for a service account", Test: func(t *testing.T) { irsa(t, sh, applications) }},
		lab.Part{Name: "Pod Identity", Test: func(t *testing.T) {
			podIdentity(t, l.Shell().AWS(t, "1"), applications) // Debian's version 2 is older
		}},
	)
	machine.CheckNothingSent()
}

const issuerURL = "aws eks describe-cluster --name cluster --query cluster.identity.oidc.issuer --output text"

// issuer reads what the cluster publishes, inside the VPC and outside.
func issuer(t *testing.T, places ...lab.Terminal) {
	for _, x := range places {
		url := x.Must(t, issuerURL, "https://oidc.eks.us-west-2.amazonaws.com/id/")
		x.Must(t, "curl --silent --show-error --fail "+url+"/.well-known/openid-configuration", `"issuer":"`+url+`"`, `"jwks_uri":"`+url+`/keys"`)
		x.Must(t, "curl --silent --show-error --fail "+url+"/keys", `"kty":"RSA"`, `"alg":"RS256"`, `"use":"sig"`)
	}
	url := places[0].Must(t, issuerURL)
	places[0].Must(t, "kubectl get --raw /.well-known/openid-configuration", `"issuer":"`+url+`"`, url+"/keys")
}

// application is a program on an AWS SDK, which knows Pod Identity or not.
type application struct {
	line        string
	podIdentity bool
}

// applicationImage is an image with the same program on three SDKs, and how to start each.
func applicationImage(t *testing.T) (name string, all map[string]application) {
	t.Helper()
	type file struct {
		Path, From string
		Mode       uint32
	}
	all = map[string]application{"Go": {"/app/sdk", true}, "Debian's boto3": {"python3 /app/sdk.py", false}}
	files := []file{{"/app/sdk", sdks.Go(t), 0o755}, {"/app/sdk.py", sdks.Python(t), 0o644}}
	if bundle := sdks.JS(t); bundle != "" {
		files = append(files, file{"/app/sdk.mjs", bundle, 0o644})
		all["JavaScript"] = application{"node /app/sdk.mjs", true}
	}
	for path, from := range sdks.NewBoto3(t) {
		files = append(files, file{"/opt/boto3/" + path, from, 0o644})
		all["new boto3"] = application{"PYTHONPATH=/opt/boto3 python3 /app/sdk.py", true}
	}
	spec, err := json.Marshal(map[string]any{
		"name": "applications", "packages": []string{"bash", "coreutils", "python3-boto3", "nodejs"}, "files": files, "cmd": []string{"bash"}, "env": []string{"PYTHONDONTWRITEBYTECODE=1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	name = filepath.Join(t.TempDir(), "applications.yaml")
	if err := os.WriteFile(name, spec, 0o644); err != nil {
		t.Fatal(err)
	}
	return name, all
}

// startApplications starts each in a pod: it is a session of the role, sees buckets, and may not
// write.
func startApplications(t *testing.T, sh lab.Terminal, namespace, serviceAccount, role string, all map[string]application) {
	name := "applications-" + serviceAccount
	in := podOf(t, sh, "applications", namespace, name, serviceAccount)
	var parts []lab.Part
	for sdk, a := range all {
		parts = append(parts, lab.Part{Name: sdk, Test: func(t *testing.T) {
			said := sdks.Read(t, sh.Must(t, in(a.line+" workshop-data 1 0")))
			if len(said) != 1 || !strings.HasPrefix(said[0].ARN, "arn:aws:sts::"+account+":assumed-role/"+role+"/") || !slices.Equal(said[0].Buckets, []string{"workshop-data"}) || said[0].Put != "AccessDenied" {
				t.Errorf("%+v", said)
			}
		}})
	}
	lab.Together(t, parts...)
	sh.Must(t, "kubectl delete pod "+name+" --namespace "+namespace, "deleted")
}

// pod runs a shell as a service account and returns how lines are typed in it.
func pod(t *testing.T, sh lab.Terminal, namespace, name, account string) func(line string) string {
	t.Helper()
	return podOf(t, sh, "amazonlinux", namespace, name, account)
}

func podOf(t *testing.T, sh lab.Terminal, image, namespace, name, account string) func(line string) string {
	t.Helper()
	sh.Must(t, "kubectl run "+name+" --namespace "+namespace+" --image "+image+" --overrides '"+
		`{"spec":{"serviceAccountName":"`+account+`","terminationGracePeriodSeconds":0}}' -- sleep infinity`, "created")
	sh.Must(t, "kubectl wait --for=condition=Ready --timeout=240s --namespace "+namespace+" pod/"+name)
	return func(line string) string {
		return "kubectl exec --namespace " + namespace + " " + name + " -- bash -c '" + line + "'"
	}
}

func irsa(t *testing.T, sh lab.Terminal, applications map[string]application) {
	// eksctl utils associate-iam-oidc-provider
	sh.Must(t, "aws iam create-open-id-connect-provider --url $("+issuerURL+") --client-id-list sts.amazonaws.com --thumbprint-list 9e99a48a9960b14926bb7f3b02e22da2b0ab7280", ":oidc-provider/oidc.eks.us-west-2.amazonaws.com/id/")
	// eksctl create iamserviceaccount
	sh.Must(t, `url=$(`+issuerURL+`) && provider=${url#https://} && cat > irsa-trust.json <<EOF
{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
  "Principal": {"Federated": "arn:aws:iam::`+account+`:oidc-provider/$provider"},
  "Condition": {"StringEquals": {"$provider:sub": "system:serviceaccount:default:aws-s3-read", "$provider:aud": "sts.amazonaws.com"}}}]}
EOF
aws iam create-role --role-name aws-s3-read --assume-role-policy-document file://irsa-trust.json`, `"RoleName": "aws-s3-read"`)
	sh.Must(t, "aws iam attach-role-policy --role-name aws-s3-read --policy-arn arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
	const arn = "arn:aws:iam::" + account + ":role/aws-s3-read"
	annotated := func(namespace, name string) {
		sh.Must(t, "kubectl create serviceaccount "+name+" --namespace "+namespace+" && kubectl annotate serviceaccount "+name+" --namespace "+namespace+" eks.amazonaws.com/role-arn="+arn, "annotated")
	}
	annotated("default", "aws-s3-read")
	sh.Must(t, "kubectl describe serviceaccount aws-s3-read", "eks.amazonaws.com/role-arn: "+arn)

	in := pod(t, sh, "default", "my-shell", "aws-s3-read")
	sh.Must(t, "kubectl describe pod my-shell",
		"AWS_STS_REGIONAL_ENDPOINTS:   regional", "AWS_DEFAULT_REGION:           us-west-2", "AWS_REGION:                   us-west-2",
		"AWS_ROLE_ARN:                 "+arn, "AWS_WEB_IDENTITY_TOKEN_FILE:  /var/run/secrets/eks.amazonaws.com/serviceaccount/token",
		"/var/run/secrets/eks.amazonaws.com/serviceaccount from aws-iam-token (ro)", "aws-iam-token:", "TokenExpirationSeconds:  86400")
	sh.Must(t, in("aws sts get-caller-identity"), `"arn:aws:sts::`+account+`:assumed-role/aws-s3-read/botocore-session-`)
	sh.Must(t, in("aws s3 ls"), "workshop-data")
	sh.Must(t, in("aws s3 cp s3://workshop-data/hello.txt -"), "hello")
	sh.Refused(t, in("echo no > /tmp/no && aws s3 cp /tmp/no s3://workshop-data/no"), "(AccessDenied) when calling the PutObject operation: User: arn:aws:sts::"+account+":assumed-role/aws-s3-read/")

	startApplications(t, sh, "default", "aws-s3-read", "aws-s3-read", applications)

	// Others say that they have the role, and have it not.
	const refused = "An error occurred (AccessDenied) when calling the AssumeRoleWithWebIdentity operation: Not authorized to perform sts:AssumeRoleWithWebIdentity"
	sh.Must(t, "kubectl create namespace elsewhere", "created")
	annotated("default", "someone")
	annotated("elsewhere", "aws-s3-read")
	lab.Together(t,
		lab.Part{Name: "another account", Test: func(t *testing.T) {
			sh.Refused(t, pod(t, sh, "default", "other-account", "someone")("aws s3 ls"), refused)
		}},
		lab.Part{Name: "another namespace", Test: func(t *testing.T) {
			sh.Refused(t, pod(t, sh, "elsewhere", "other-namespace", "aws-s3-read")("aws s3 ls"), refused)
		}},
		lab.Part{Name: "no role", Test: func(t *testing.T) { noRole(t, sh) }},
	)
	sh.Must(t, "kubectl get configmap eksact-aws-ca --namespace elsewhere -o jsonpath={.data}", "BEGIN CERTIFICATE")
	sh.Must(t, "kubectl get mutatingwebhookconfiguration pod-identity-webhook -o yaml", "failurePolicy: Ignore", "name: iam-for-pods.amazonaws.com", "url: https://127.0.0.1:23443/mutate")
}

// noRole is a pod without an annotation, which has its node's role, as on EKS.
func noRole(t *testing.T, sh lab.Terminal) {
	node := pod(t, sh, "default", "no-role", "default")
	out := sh.Must(t, "kubectl describe pod no-role")
	for _, word := range []string{"AWS_", "aws-iam-token", "eksact-aws-ca"} {
		if strings.Contains(out, word) {
			t.Errorf("a pod without a role has %s:\n%s", word, out)
		}
	}
	sh.Refused(t, node("AWS_DEFAULT_REGION=us-west-2 aws --no-verify-ssl s3 ls 2>&1"), "AccessDenied")
}

func podIdentity(t *testing.T, sh lab.Terminal, applications map[string]application) {
	const ask = "curl --silent --show-error --max-time 60 -H \"Authorization: $(cat $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE)\" $AWS_CONTAINER_CREDENTIALS_FULL_URI"
	sh.Must(t, `cat > pods-trust.json <<EOF
{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"],
  "Principal": {"Service": "pods.eks.amazonaws.com"}, "Condition": {"StringEquals": {"aws:RequestTag/kubernetes-namespace": "apps"}}}]}
EOF
aws iam create-role --role-name pods --assume-role-policy-document file://pods-trust.json && aws iam attach-role-policy --role-name pods --policy-arn arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess`, `"RoleName": "pods"`)
	sh.Must(t, "aws eks create-addon --cluster-name cluster --addon-name eks-pod-identity-agent && aws eks wait addon-active --cluster-name cluster --addon-name eks-pod-identity-agent")
	sh.Refused(t, "aws eks create-pod-identity-association --cluster-name cluster --namespace apps --service-account reader --role-arn $(aws eks describe-cluster --name cluster --query cluster.roleArn --output text)",
		"Trust policy of the role provided is invalid. Follow the official documentation to resolve the issue.")
	sh.Must(t, "aws eks create-pod-identity-association --cluster-name cluster --namespace apps --service-account reader --role-arn arn:aws:iam::"+account+":role/pods",
		`"associationId": "a-`, `:podidentityassociation/cluster/a-`)
	sh.Must(t, "kubectl create namespace apps && kubectl create serviceaccount reader --namespace apps", "created")
	in := pod(t, sh, "apps", "identified", "reader")
	sh.Must(t, "kubectl describe pod identified --namespace apps", "eks.amazonaws.com/pod-identity=enabled",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI:      http://169.254.170.23/v1/credentials",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE:  /var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token",
		"/var/run/secrets/pods.eks.amazonaws.com/serviceaccount from eks-pod-identity-token (ro)")
	sh.Must(t, in(ask), `"AccessKeyId":"ASIA`, `"AccountId":"`+account+`"`, `"Expiration":"`)
	// So is that in the image: it is given what the agent gave.
	const use = ` | python3 -c "import json,sys; c=json.load(sys.stdin); print(\"export AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s AWS_SESSION_TOKEN=%s\" % (c[\"AccessKeyId\"],c[\"SecretAccessKey\"],c[\"Token\"]))") && `
	as := func(line string) string { return in("eval $(" + ask + use + line) }
	sh.Must(t, as("aws sts get-caller-identity"), "assumed-role/pods/eks-cluster-identified-")
	sh.Must(t, as("aws s3 ls"), "workshop-data")
	sh.Refused(t, as("echo no > /tmp/no && aws s3 cp /tmp/no s3://workshop-data/no"), "AccessDenied")
	// Also by IPv6, which no variable says here; to the agent alone.
	const six = "[fd00:ec2::23]"
	ask6 := strings.Replace(ask, "$AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://"+six+"/v1/credentials", 1)
	sh.Must(t, in(ask6), `"AccessKeyId":"ASIA`)
	sh.Refused(t, in("curl --silent --show-error --insecure --max-time 5 https://"+six+":10250/pods"), "Failed to connect")
	for _, host := range []string{"169.254.170.23", six} {
		sh.Refused(t, in("curl --silent --show-error --fail --max-time 5 http://"+host+"/v1/credentials"), "returned error: 400")
	}
	known := maps.Clone(applications)
	maps.DeleteFunc(known, func(_ string, a application) bool { return !a.podIdentity })
	startApplications(t, sh, "apps", "reader", "pods", known)
	// Under a policy that lets nothing out the agent still answers: it is on the node.
	sh.Must(t, "kubectl apply -f default-deny.yaml --namespace apps", "created")
	sh.Soon(t, 10*time.Second, "! "+in("curl --silent --insecure --max-time 2 https://sts.us-west-2.amazonaws.com"))
	sh.Must(t, in(ask), `"AccessKeyId":"ASIA`)
	sh.Must(t, in(ask6), `"AccessKeyId":"ASIA`)
	sh.Must(t, "kubectl delete networkpolicy default-deny --namespace apps", "deleted")

	sh.Must(t, "aws eks delete-addon --cluster-name cluster --addon-name eks-pod-identity-agent && aws eks wait addon-deleted --cluster-name cluster --addon-name eks-pod-identity-agent")
	sh.Soon(t, 10*time.Second, "! "+in("curl --silent --fail --max-time 2 -H \"Authorization: $(cat $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE)\" $AWS_CONTAINER_CREDENTIALS_FULL_URI"))
	sh.Soon(t, 10*time.Second, "! "+in(ask6))
	sh.Must(t, "kubectl delete pod identified --namespace apps", "deleted")
}
