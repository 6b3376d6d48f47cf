package spread;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import java.io.NotSerializableException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Vector;
import org.junit.jupiter.api.Test;

/** Messages by themselves; no connection, and no native library. */
class MessageTest {

    private final SpreadMessage message = new SpreadMessage();

    @Test
    void freshMessageIsReliableEmptyAndOutgoing() {
        assertThat(message.getServiceType()).isEqualTo(0x2);
        assertThat(message.getType()).isZero();
        assertThat(message.getData()).isEmpty();
        assertThat(message.getGroups()).isEmpty();
        assertThat(message.getSender()).isNull();
        assertThat(message.getMembershipInfo()).isNull();
        assertThat(message.getEndianMismatch()).isFalse();
        assertThat(message.isOutgoing()).isTrue();
        assertThat(message.isIncoming()).isFalse();
        assertThat(message.content).isEqualTo(1);
    }

    @Test
    void settersOfServicesReplaceTheServiceAndKeepOtherBits() {
        message.setServiceType(0x4042);
        message.setUnreliable();
        assertThat(message.getServiceType()).isEqualTo(0x4041);
        assertThat(message.isUnreliable()).isTrue();
        message.setReliable();
        assertThat(message.isReliable()).isTrue();
        message.setFifo();
        assertThat(message.isFifo()).isTrue();
        assertThat(message.isReliable()).isFalse();
        message.setCausal();
        assertThat(message.isCausal()).isTrue();
        message.setAgreed();
        assertThat(message.isAgreed()).isTrue();
        message.setSafe();
        assertThat(message.isSafe()).isTrue();
        assertThat(message.getServiceType()).isEqualTo(0x4060);
        assertThat(message.isSelfDiscard()).isTrue();
        message.setSelfDiscard(false);
        assertThat(message.getServiceType()).isEqualTo(0x4020);
        message.setSelfDiscard(true);
        assertThat(message.getServiceType()).isEqualTo(0x4060);
    }

    @Test
    void predicatesOfTypesMayBothOrNeitherBeTrue() {
        int[][] cases = {
            // service type, regular, membership, reject
            {0x2, 1, 0, 0},
            {0x1100, 0, 1, 0},
            {0x1002, 1, 1, 0},
            {0, 0, 0, 0},
            {0x40, 0, 0, 0},
            {0x10000, 0, 0, 0},
            {0x80000, 0, 0, 0},
            {0x400002, 0, 0, 1},
            {0x401100, 0, 0, 1},
        };
        for (int[] c : cases) {
            message.setServiceType(c[0]);
            String name = Integer.toHexString(c[0]);
            assertThat(message.isRegular()).as(name).isEqualTo(c[1] == 1);
            assertThat(message.isMembership()).as(name).isEqualTo(c[2] == 1);
            assertThat(message.isReject()).as(name).isEqualTo(c[3] == 1);
        }
    }

    @Test
    void groupsAreAddedWithoutChecksAndGivenOutInNewArrays() {
        SpreadGroup group = new SpreadGroup(null, "a");
        message.addGroup(group);
        message.addGroup("b");
        message.addGroup("b");
        message.addGroup((SpreadGroup) null);
        message.addGroups(new String[] {"c", "not a legal name"});
        message.addGroups(new SpreadGroup[] {group});
        assertThat(message.getGroups()).hasSize(7).isNotSameAs(message.getGroups());
        assertThat(message.getGroups()[0]).isSameAs(group);
        assertThat(message.getGroups()[3]).isNull();
        assertThat(message.groups).hasSize(7);
        assertThatNullPointerException().isThrownBy(() -> message.addGroups((String[]) null));
        assertThatNullPointerException().isThrownBy(() -> message.addGroups((SpreadGroup[]) null));
    }

    @Test
    void dataIsCopiedInAndGivenOutLive() {
        byte[] mine = {1, 2};
        message.setData(mine);
        mine[0] = 9;
        assertThat(message.getData()).containsExactly(1, 2);
        message.getData()[0] = 7;
        assertThat(message.getData()).containsExactly(7, 2);
    }

    @Test
    void nullDataDropsTheDigestAndKeepsTheOldData() throws Exception {
        message.setData(new byte[] {5});
        message.digest("a");
        assertThatNullPointerException().isThrownBy(() -> message.setData(null));
        assertThat(message.content).isEqualTo(1);
        assertThat(message.digestBytes).isNull();
        assertThat(message.getData()).containsExactly(5);
    }

    @Test
    void objectIsOneSerializationStream() throws Exception {
        message.setObject("hi");
        assertThat(hex(message.getData())).isEqualTo("aced00057400026869");
        assertThat(message.content).isEqualTo(2);
        assertThat(message.getObject()).isEqualTo("hi");
        assertThat(new ArrayList<Object>(message.getDigest())).containsExactly("hi");
        message.setObject(null);
        assertThat(hex(message.getData())).isEqualTo("aced000570");
        assertThat(message.getObject()).isNull();
    }

    @Test
    void digestIsOneStreamOfManyObjects() throws Exception {
        message.digest("a");
        message.digest("b");
        assertThat(message.content).isEqualTo(3);
        assertThat(hex(message.getData())).isEqualTo("aced000574000161740001" + "62");
        assertThat(message.getObject()).isEqualTo("a");
        assertThat(new ArrayList<Object>(message.getDigest())).containsExactly("a", "b");
    }

    @Test
    void digestUsesReferencesToEarlierObjects() throws Exception {
        String same = "shared";
        message.digest(same);
        message.digest(same);
        // 0x71: a reference to what has been written.
        assertThat(hex(message.getData())).contains("71007e");
        assertThat(new ArrayList<Object>(message.getDigest())).containsExactly(same, same);
    }

    @Test
    void digestIsSeenWithoutGetDataFirst() throws Exception {
        message.setObject("old");
        message.digest("new");
        assertThat(message.getObject()).isEqualTo("new");
    }

    @Test
    void theKindsOfBodiesReplaceEachOther() throws Exception {
        message.digest("a");
        message.setObject("o");
        assertThat(message.digestBytes).isNull();
        message.digest("b");
        assertThat(new ArrayList<Object>(message.getDigest())).containsExactly("b");
        message.setData(new byte[] {1});
        assertThat(message.getData()).containsExactly(1);
        message.digest("c");
        assertThat(new ArrayList<Object>(message.getDigest())).containsExactly("c");
    }

    /** Not to be serialised. */
    private static final class Unwilling implements Serializable {
        private static final long serialVersionUID = 1;

        @SuppressWarnings("unused")
        private final transient Object nothing = null;

        private void writeObject(java.io.ObjectOutputStream out) throws java.io.IOException {
            throw new NotSerializableException("Unwilling");
        }
    }

    @Test
    void failedDigestLeavesTheMessageAsItWas() throws Exception {
        message.digest("a");
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(() -> message.digest(new Unwilling()))
                .withMessage("writeObject/flush(): java.io.NotSerializableException: Unwilling")
                .withCauseInstanceOf(NotSerializableException.class);
        assertThat(new ArrayList<Object>(message.getDigest())).containsExactly("a");
        message.digest("b");
        message.digest("a");
        assertThat(new ArrayList<Object>(message.getDigest())).containsExactly("a", "b", "a");
    }

    @Test
    void failedFirstDigestLeavesTheDataThere() {
        message.setData(new byte[] {3});
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(() -> message.digest(new Unwilling()));
        assertThat(message.content).isEqualTo(1);
        assertThat(message.getData()).containsExactly(3);
    }

    @Test
    void failedObjectLeavesTheOldData() {
        message.setData(new byte[] {3});
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(() -> message.setObject(new Unwilling()))
                .withMessageStartingWith("writeObject/flush(): java.io.NotSerializableException");
        assertThat(message.getData()).containsExactly(3);
        assertThat(message.content).isEqualTo(2);
    }

    @Test
    void rubbishIsNoObject() {
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(message::getObject)
                .withMessage("ObjectInputStream(): java.io.EOFException");
        message.setData(new byte[] {1, 2, 3, 4});
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(message::getObject)
                .withMessage(
                        "ObjectInputStream(): java.io.StreamCorruptedException:"
                                + " invalid stream header: 01020304");
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(message::getDigest)
                .withMessageStartingWith("ObjectInputStream(): ");
    }

    @Test
    void objectsOfUnknownClassesAreRefused() throws Exception {
        message.setObject(new Unknown());
        byte[] bytes = message.getData();
        int at = new String(bytes, java.nio.charset.StandardCharsets.ISO_8859_1).indexOf("Unknown");
        bytes[at] = 'X';
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(message::getObject)
                .withMessageMatching("readObject\\(\\): java.lang.ClassNotFoundException: .*Xnknown");
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(message::getDigest)
                .withMessageMatching("readObject\\(\\): java.lang.ClassNotFoundException: .*Xnknown");
    }

    private static final class Unknown implements Serializable {
        private static final long serialVersionUID = 1;
    }

    @Test
    void cloneIsAnOutgoingCopyOfWhatWouldBeSent() {
        SpreadGroup group = new SpreadGroup(null, "g");
        SpreadMessage received =
                new SpreadMessage(
                        0x44,
                        new Vector<>(Arrays.asList(group)),
                        group,
                        new byte[] {1, 2},
                        (short) 7,
                        true,
                        null);
        assertThat(received.isIncoming()).isTrue();
        assertThat(received.content).isZero();
        SpreadMessage copy = (SpreadMessage) received.clone();
        assertThat(copy.isOutgoing()).isTrue();
        assertThat(copy.getServiceType()).isEqualTo(0x44);
        assertThat(copy.getGroups()).containsExactly(group);
        assertThat(copy.getType()).isEqualTo((short) 7);
        assertThat(copy.getData()).containsExactly(1, 2).isNotSameAs(received.getData());
        assertThat(copy.getSender()).isNull();
        assertThat(copy.getEndianMismatch()).isFalse();
        copy.addGroup("another");
        assertThat(received.getGroups()).hasSize(1);
    }

    @Test
    void cloneOfASubclassIsAPlainMessage() {
        SpreadMessage special = new SpreadMessage() {};
        assertThat(special.clone()).isExactlyInstanceOf(SpreadMessage.class);
    }

    @Test
    void copyOfADigestContinuesTheOneStream() throws Exception {
        message.digest("one");
        SpreadMessage copy = (SpreadMessage) message.clone();
        assertThat(copy.getData()).isEqualTo(message.getData());
        copy.digest("two");
        message.digest("other");
        assertThat(new ArrayList<Object>(copy.getDigest())).containsExactly("one", "two");
        assertThat(new ArrayList<Object>(message.getDigest())).containsExactly("one", "other");
        assertThat(hex(copy.getData()).substring(8)).doesNotContain("aced0005");
    }

    @Test
    void factoryMakesCopiesOfACopy() throws Exception {
        message.digest("one");
        MessageFactory factory = new MessageFactory(message);
        message.digest("later");
        SpreadMessage made = factory.createMessage();
        assertThat(made).isNotSameAs(factory.createMessage());
        made.digest("two");
        assertThat(new ArrayList<Object>(made.getDigest())).containsExactly("one", "two");
        assertThat(new ArrayList<Object>(factory.createMessage().getDigest())).containsExactly("one");
        factory.setDefault(null);
        assertThat(factory.createMessage()).isNull();
        assertThat(new MessageFactory(null).defaultMessage).isNull();
    }

    private static String hex(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (byte b : bytes) {
            text.append(String.format("%02x", b));
        }
        return text.toString();
    }
}
