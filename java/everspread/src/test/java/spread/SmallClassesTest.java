package spread;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Groups, group ids, the version, the exception and the helpers that subclasses see. */
class SmallClassesTest {

    @Test
    void groupsAreEqualByClassAndName() {
        SpreadGroup a = new SpreadGroup(null, "room");
        assertThat(a).isEqualTo(new SpreadGroup(new SpreadConnection(), "room"));
        assertThat(a.hashCode()).isEqualTo("room".hashCode());
        assertThat(a.equals(new SpreadGroup(null, "Room"))).isFalse();
        assertThat(a.equals(new SpreadGroup(null, "room") {})).isFalse();
        assertThat(a.equals((Object) "room")).isFalse();
        assertThat(a.equals(null)).isFalse();
        assertThat(a).hasToString("room");
    }

    @Test
    void groupWithoutANameIsOnlyGoodForJoining() {
        SpreadGroup group = new SpreadGroup();
        assertThat(group.toString()).isNull();
        assertThatNullPointerException().isThrownBy(group::hashCode);
        assertThatNullPointerException().isThrownBy(() -> group.equals(new SpreadGroup()));
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(group::leave)
                .withMessage("No group to leave.");
    }

    @Test
    void groupIdsHashAsTheyCompare() {
        GroupID id = new GroupID(482711334, -5, 1);
        assertThat(id).hasToString("482711334 -5 1");
        assertThat(id.equals(new GroupID(482711334, -5, 1))).isTrue();
        assertThat(id.equals(new GroupID(482711334, -5, 2))).isFalse();
        assertThat(id.equals(new GroupID(482711334, -5, 1) {})).isFalse();
        assertThat(id.equals(null)).isFalse();
        Set<GroupID> set = new HashSet<>(Arrays.asList(id));
        assertThat(set).contains(new GroupID(482711334, -5, 1));
        id.getID()[2] = 2;
        assertThat(id).hasToString("482711334 -5 2");
    }

    @Test
    void versionIsThatOfTheClassicLibrary() {
        SpreadVersion version = new SpreadVersion();
        assertThat(version.getMajorVersion()).isEqualTo(5);
        assertThat(version.getMinorVersion()).isZero();
        assertThat(version.getPatchVersion()).isZero();
        assertThat(version.getVersion()).isEqualTo(5.0f);
        assertThat(version).hasToString("5.00.00");
    }

    @Test
    void exceptionCarriesItsText() {
        assertThat(new SpreadException().getMessage()).isNull();
        assertThat(new SpreadException("why")).hasToString("spread.SpreadException: why");
    }

    @Test
    void helpersForSubclassesWorkAsTheyDid() {
        byte[] bytes = {0, 1, 2, 3, 4, 'a', 'b', 0, 'c'};
        assertThat(SpreadConnection.flip(0x01020304)).isEqualTo(0x04030201);
        assertThat(SpreadConnection.toInt(bytes, 1)).isEqualTo(0x01020304);
        assertThat(SpreadConnection.toInt(new byte[] {-1, -1, -1, -2}, 0)).isEqualTo(-2);
        assertThatExceptionOfType(ArrayIndexOutOfBoundsException.class)
                .isThrownBy(() -> SpreadConnection.toInt(bytes, 6));
        SpreadConnection connection = new SpreadConnection();
        assertThat(connection.toGroup(bytes, 5)).hasToString("ab");
        assertThat(connection.toGroup(bytes, 8)).isNull();
        byte[] longName = new byte[41];
        Arrays.fill(longName, 0, 40, (byte) 'x');
        assertThat(connection.toGroup(longName, 0).toString()).hasSize(40);
    }

    @Test
    void unconnectedConnectionSaysSo() throws Exception {
        SpreadConnection connection = new SpreadConnection();
        assertThat(connection.isConnected()).isFalse();
        assertThat(connection.getPrivateGroup()).isNull();
        for (Refused call :
                new Refused[] {
                    connection::receive,
                    () -> connection.receive(1),
                    connection::poll,
                    () -> connection.multicast(new SpreadMessage()),
                    () -> connection.multicast((SpreadMessage) null),
                    () -> connection.multicast(new SpreadMessage[] {new SpreadMessage()}),
                    connection::disconnect,
                    () -> connection.setTcpNoDelay(true),
                    () -> new SpreadGroup().join(connection, "room"),
                    () -> new SpreadGroup(connection, "room").leave()
                }) {
            assertThatExceptionOfType(SpreadException.class)
                    .isThrownBy(call::run)
                    .withMessage("Not connected.");
        }
        connection.multicast(new SpreadMessage[0]);
        assertThat(connection.receive(0)).isEmpty();
        assertThatExceptionOfType(NegativeArraySizeException.class)
                .isThrownBy(() -> connection.receive(-1));
        assertThatNullPointerException()
                .isThrownBy(() -> connection.multicast((SpreadMessage[]) null));
        BasicMessageListener listener = message -> {};
        connection.add(listener);
        connection.add((BasicMessageListener) null);
        connection.add((AdvancedMessageListener) null);
        assertThat(connection.basicListeners).hasSize(1);
        assertThat(connection.advancedListeners).isEmpty();
        for (Refused call :
                new Refused[] {
                    connection::receive, () -> connection.receive(0), () -> connection.receive(1)
                }) {
            assertThatExceptionOfType(SpreadException.class)
                    .isThrownBy(call::run)
                    .withMessage("Tried to receive while there are listeners");
        }
        connection.remove(listener);
        connection.remove(listener);
        assertThat(connection.basicListeners).isEmpty();
    }

    /** A call that is to fail. */
    interface Refused {
        void run() throws Exception;
    }
}
