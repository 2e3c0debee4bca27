package clusterpolicy

import (
	"net/http/httptest"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	api "sigs.k8s.io/network-policy-api/apis/v1beta1"
	"sigs.k8s.io/network-policy-api/conformance/tests"
	"sigs.k8s.io/network-policy-api/conformance/utils/config"
	"sigs.k8s.io/network-policy-api/conformance/utils/suite"
)

func TestConformance(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientscheme.AddToScheme, api.Install} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	objects := fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{Create: startPods}).Build()
	w := newWorld(t, objects)
	server := httptest.NewServer(w)
	defer server.Close()
	to := rest.Config{Host: server.URL}
	clientSet, err := kubernetes.NewForConfig(&to)
	if err != nil {
		t.Fatal(err)
	}
	s := suite.New(suite.Options{
		Client: objects, ClientSet: clientSet, KubeConfig: to,
		EnableAllSupportedFeatures: true,
		TimeoutConfig:              config.TimeoutConfig{PokeInterval: time.Millisecond, PokeTimeout: 2 * time.Second},
	})
	s.Setup(t)
	s.Run(t, tests.ConformanceTests)
	if w.asked < 300 {
		t.Errorf("the suite asked about %d flows only: it looks elsewhere", w.asked)
	}
	t.Logf("%d flows were asked about", w.asked)
}

// list reads all objects of a kind.
func list[T client.ObjectList](t *testing.T, c client.Client, into T) T {
	t.Helper()
	if err := c.List(t.Context(), into); err != nil {
		t.Fatal(err)
	}
	return into
}
