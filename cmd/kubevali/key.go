package main

import (
	"context"
	"fmt"
	"regexp"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/kubevali/kubevali/internal/hint"
	"github.com/kubevali/kubevali/internal/keyderive"
	"github.com/kubevali/kubevali/internal/keyfile"
	"github.com/kubevali/kubevali/internal/plan"
	"github.com/kubevali/kubevali/internal/prepare"
)

// podFlags say which pod a command is about.
type podFlags struct{ pod, namespace string }

func (f *podFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.pod, "pod", "", "name of the pod (default $POD_NAME, then $HOSTNAME)")
	c.Flags().StringVar(&f.namespace, "namespace", "", "namespace of the pod (default $POD_NAMESPACE)")
}

func (a *app) keyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Short: "Make root secrets, show public identities, write P2P keys",
		Long: `P2P keys are derived from a root secret and the pod's identity, so that they are known before the pod exists and
outlive its disk. The configuration's p2pKeys say which ones a pod has.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.keyNewCommand(), a.keyIDCommand(), a.keyWriteCommand())
	return c
}

func (a *app) keyNewCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "new",
		Short: "Print a new root secret",
		Long: `Print a new root secret: 32 random bytes in hexadecimal digits. Whoever has it has the P2P keys of all pods, so it
belongs into a Secret, and a copy of it to where it is not lost.`,
		Example: `  (umask 077 && kubevali key new > ~/p2p-root)   # keep a copy where you keep such things
  kubectl create secret generic p2p-root --from-file=root=$HOME/p2p-root`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			root := keyderive.GenerateRoot()
			defer clear(root)
			_, err := fmt.Fprintf(a.stdout, "%s\n", root)
			return err
		},
	}
}

type keyIDFlags struct {
	podFlags
	replicas int
	output   renderFormat
}

func (a *app) keyIDCommand() *cobra.Command {
	flags := keyIDFlags{output: renderText}
	c := &cobra.Command{
		Use:   "id",
		Short: "Show the public identities of a pod, or of a whole fleet",
		Long: `Show the public identities of a pod's P2P keys: under which peer ID, enode ID or CometBFT node ID other nodes find
it. Nothing is touched.

With --replicas N it shows the pods NAME-0 to NAME-(N-1), NAME being that of --pod or of this pod without its ordinal,
and fails when two of them would have the same key.`,
		Example: `  kubevali key id -c kubevali.yaml --pod geth-2 --namespace chains
  kubevali key id -c kubevali.yaml --pod geth --namespace chains --replicas 5 -o json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.keyID(flags) },
	}
	flags.add(c)
	c.Flags().IntVar(&flags.replicas, "replicas", 0, "show this many pods, from ordinal 0")
	c.Flags().VarP(choice[renderFormat]{&flags.output, []renderFormat{renderText, renderJSON}}, "output", "o", "how to show it")
	return c
}

func (a *app) keyID(flags keyIDFlags) error {
	p, err := a.openKeys(flags.podFlags)
	if err != nil {
		return err
	}
	pods, err := fleet(p.facts, flags.replicas)
	if err != nil {
		return err
	}
	if len(pods) == 0 {
		a.warnOrdinal(flags.pod, "--replicas N")
		pods = []string{p.facts.Pod}
	}
	identities, err := plan.Identify(p.cfg, p.facts, pods, p.keys.Public, a.source(false, needless))
	if err != nil {
		return err
	}
	if flags.output == renderJSON {
		return a.printJSON(identities)
	}
	return a.printIdentities(identities)
}

// openKeys is open for a configuration that has keys.
func (a *app) openKeys(flags podFlags) (pod, error) {
	if err := checkPod(flags.pod); err != nil {
		return pod{}, err
	}
	p, err := a.open(flags)
	if err == nil && len(p.cfg.P2PKeys) == 0 {
		err = hint.With(fmt.Errorf("%s has no p2pKeys", a.configPath), "docs/kubevali.yaml shows how to describe them")
	}
	return p, err
}

const maxPodName = 253 // of a DNS subdomain, RFC 1123

// checkPod refuses a name for the flag --pod that no pod can have, as keys derived from it would be nobody's. It may be
// empty, see https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ for what else it may be.
func checkPod(name string) error {
	labels := regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	if name == "" || len(name) <= maxPodName && labels.MatchString(name) {
		return nil
	}
	return fmt.Errorf("--pod %q: no pod has this name: expected up to %d lower-case letters, digits, hyphens and dots, with a "+
		"letter or digit at both ends and beside each dot", name, maxPodName)
}

// warnOrdinal warns of a name for the flag --pod that is rather a StatefulSet's than a pod's.
func (a *app) warnOrdinal(pod, meant string) {
	if pod == "" || regexp.MustCompile(`-[0-9]+$`).MatchString(pod) {
		return
	}
	a.log.Warnf("%s has no ordinal: did you mean %s?", pod, meant)
}

func (a *app) printIdentities(pods []keyfile.PodIdentities) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "POD\tNAMESPACE\tKEY\tTYPE\tPEER ID\tENODE OR COMETBFT NODE ID")
	for _, pod := range pods {
		for _, key := range pod.Keys {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n",
				pod.Pod, pod.Namespace, key.Name, key.Type, key.PeerID, key.Enode+key.CometNodeID)
		}
	}
	return w.Flush()
}

func (a *app) keyWriteCommand() *cobra.Command {
	var flags podFlags
	c := &cobra.Command{
		Use:   "write",
		Short: "Write this pod's P2P keys",
		Long: `Write this pod's P2P keys and, beside them, identities.json with the public identities of the whole fleet, as large
as fleet.replicas of the configuration says.

This is for an init container that alone gets the root secret: with the folder of the keys in a volume that both share,
the node's container then runs "kubevali run" without the root. It checks that the keys it finds are its own.`,
		Example: "  kubevali key write -c /config/kubevali.yaml",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.keyWrite(c.Context(), flags) },
	}
	flags.add(c)
	return c
}

func (a *app) keyWrite(ctx context.Context, flags podFlags) error {
	p, err := a.openKeys(flags)
	if err != nil {
		return err
	}
	defer p.keys.Wipe()
	a.warnOrdinal(flags.pod, "--pod "+flags.pod+"-N")
	return prepare.WriteKeys(ctx, p.cfg, p.facts, p.keys, a.source(false, needless), a.log)
}
