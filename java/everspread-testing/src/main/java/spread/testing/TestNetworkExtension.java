package spread.testing;

import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * A {@link TestNetwork} for JUnit 5. In a static field registered with {@code @RegisterExtension}: one
 * network for all tests of the class; in an instance field: a fresh one for each test. Tests may also
 * take it as a parameter.
 *
 * <pre>{@code
 * @RegisterExtension
 * final TestNetworkExtension network = TestNetworkExtension.daemons(2);
 *
 * @Test
 * void survives(TestNetwork network) { ... }
 * }</pre>
 */
public final class TestNetworkExtension
        implements BeforeAllCallback,
                AfterAllCallback,
                BeforeEachCallback,
                AfterEachCallback,
                ParameterResolver {

    private final String options;
    private boolean forClass;
    private TestNetwork network;

    private TestNetworkExtension(String options) {
        this.options = options;
    }

    /** One daemon; for {@code @ExtendWith}. */
    public TestNetworkExtension() {
        this("daemons=1");
    }

    /**
     * So many daemons.
     *
     * @param count 1 to 128
     * @return the extension
     */
    public static TestNetworkExtension daemons(int count) {
        return new TestNetworkExtension("daemons=" + count);
    }

    /**
     * With options.
     *
     * @param options as for {@link TestNetwork#start(String)}
     * @return the extension
     */
    public static TestNetworkExtension options(String options) {
        return new TestNetworkExtension(options);
    }

    /**
     * The network of the present test.
     *
     * @return the network
     */
    public TestNetwork network() {
        if (network == null) {
            throw new IllegalStateException("there is no network outside of tests");
        }
        return network;
    }

    @Override
    public void beforeAll(ExtensionContext context) {
        forClass = true;
        network = TestNetwork.start(options);
    }

    @Override
    public void beforeEach(ExtensionContext context) {
        if (!forClass) {
            network = TestNetwork.start(options);
        }
    }

    @Override
    public void afterEach(ExtensionContext context) {
        if (!forClass) {
            end();
        }
    }

    @Override
    public void afterAll(ExtensionContext context) {
        end();
    }

    private void end() {
        TestNetwork ending = network;
        network = null;
        if (ending != null) {
            ending.close();
        }
    }

    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
        return parameter.getParameter().getType() == TestNetwork.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
        return network();
    }
}
