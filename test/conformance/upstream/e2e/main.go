// Command e2e runs upstream's own NetworkPolicy tests (Kubernetes'
// test/e2e/network/netpol) against the cluster of a kubeconfig: the tests, the
// framework and the flags are upstream's, only the rest of its suite is left out,
// whose 480 packages bring the clients of five clouds.
//
//	e2e -kubeconfig FILE [-ginkgo.skip Feature:SCTPConnectivity] [-ginkgo.dry-run]
//
// It exits with 1 when a test fails.
package main

import (
	"context"
	"flag"
	"os"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/testinit"
	_ "k8s.io/kubernetes/test/e2e/feature"
	"k8s.io/kubernetes/test/e2e/framework"
	"k8s.io/kubernetes/test/e2e/framework/config"
	_ "k8s.io/kubernetes/test/e2e/framework/debug/init"
	_ "k8s.io/kubernetes/test/e2e/framework/metrics/init"
	e2enode "k8s.io/kubernetes/test/e2e/framework/node"
	_ "k8s.io/kubernetes/test/e2e/framework/node/init"
	_ "k8s.io/kubernetes/test/e2e/network/netpol"
	netutils "k8s.io/utils/net"
)

// What upstream's suite does before all tests, of which these need the address
// family and schedulable nodes.
var _ = ginkgo.BeforeSuite(func(ctx context.Context) {
	c, err := framework.LoadClientset()
	framework.ExpectNoError(err)
	framework.ExpectNoError(e2enode.WaitForAllNodesSchedulable(ctx, c, framework.NewTimeoutContext().NodeSchedulable))
	service, err := c.CoreV1().Services(metav1.NamespaceDefault).Get(ctx, "kubernetes", metav1.GetOptions{})
	framework.ExpectNoError(err)
	framework.TestContext.IPFamily = "ipv4"
	if netutils.IsIPv6String(service.Spec.ClusterIP) {
		framework.TestContext.IPFamily = "ipv6"
	}
})

// failing notes that a test failed, where go test is not there to.
type failing struct{ failed bool }

func (f *failing) Fail() { f.failed = true }

func main() {
	config.CopyFlags(config.Flags, flag.CommandLine)
	framework.RegisterCommonFlags(flag.CommandLine)
	framework.RegisterClusterFlags(flag.CommandLine)
	flag.Parse()
	framework.AfterReadingAllFlags(&framework.TestContext)
	logs.InitLogs()
	defer logs.FlushLogs()

	gomega.RegisterFailHandler(framework.Fail)
	suite, reporter := framework.CreateGinkgoConfig()
	f := &failing{}
	ginkgo.RunSpecs(f, "Kubernetes NetworkPolicy e2e", suite, reporter)
	if f.failed {
		os.Exit(1)
	}
}
