package spread.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.net.ConnectException;
import java.net.Socket;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The network by itself; what it does to clients is tested with the client. */
class TestNetworkTest {

    @RegisterExtension final TestNetworkExtension extension = TestNetworkExtension.daemons(2);

    @Test
    void daemonsListenAtAddressesOfTheirOwn(TestNetwork network) throws IOException {
        assertThat(network).isSameAs(extension.network());
        assertThat(network.daemons()).hasSize(2);
        assertThat(network.daemon(1).name()).isEqualTo("d2");
        assertThat(network.daemon(1).spreadName())
                .isEqualTo(network.daemon(1).port() + "@127.0.0.2");
        assertThat(network.daemon(0).unixSocket()).startsWith("/");
        assertThat(network.daemon(1).unixSocket()).isNull();
        for (TestNetwork.Daemon daemon : network.daemons()) {
            new Socket(daemon.address(), daemon.port()).close();
        }
        assertThat(network.sessions()).isEmpty();
    }

    @Test
    void deadDaemonRefusesAndComesBack(TestNetwork network) throws IOException {
        TestNetwork.Daemon daemon = network.daemon(0);
        network.kill(0);
        try (Socket socket = new Socket(daemon.address(), daemon.port())) {
            throw new AssertionError("connected to " + socket);
        } catch (ConnectException e) {
            network.restart(0);
        }
        new Socket(daemon.address(), daemon.port()).close();
    }

    @Test
    void nonsenseIsRefusedWithAReason(TestNetwork network) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> TestNetwork.start("daemons=0"))
                .withMessageContaining("daemons");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> TestNetwork.start("nosuch=1"))
                .withMessageContaining("nosuch");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> network.kill(7))
                .withMessageContaining("7");
        assertThatIllegalArgumentException().isThrownBy(() -> network.command("dance"));
        assertThat(network.command("help")).contains("partition");
    }

    @Test
    void closedNetworkIsAnErrorAndNoCrash() {
        TestNetwork closed = TestNetwork.start(1);
        closed.close();
        closed.close();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> closed.kill(0))
                .withMessage("the network has been closed");
    }
}
