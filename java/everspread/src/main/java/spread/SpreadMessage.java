package spread;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.util.Vector;

/**
 * A message: one to be sent, which is made with {@code new}, or one that was received.
 *
 * <p>The body is bytes, an object ({@link #setObject}) or a series of objects ({@link #digest}).
 * Nothing in the message tells which: sender and receiver have to agree.
 *
 * <p>{@link #getObject()} and {@link #getDigest()} deserialise what a peer has sent, with all the risks
 * of that. Where peers are not trusted, set a serial filter for the whole JVM.
 */
public class SpreadMessage {

    /** Service: no guarantee. */
    protected static final int UNRELIABLE_MESS = 0x1;
    /** Service: delivered, in any order. */
    protected static final int RELIABLE_MESS = 0x2;
    /** Service: in the order of each sender. */
    protected static final int FIFO_MESS = 0x4;
    /** Service: in causal order. */
    protected static final int CAUSAL_MESS = 0x8;
    /** Service: in the same order for everybody. */
    protected static final int AGREED_MESS = 0x10;
    /** Service: in the same order, and only once all daemons have the message. */
    protected static final int SAFE_MESS = 0x20;
    /** All services. */
    protected static final int REGULAR_MESS = 0x3f;
    /** The sender does not want its message back. */
    protected static final int SELF_DISCARD = 0x40;
    /** Membership: somebody has joined. */
    protected static final int CAUSED_BY_JOIN = 0x100;
    /** Membership: somebody has left. */
    protected static final int CAUSED_BY_LEAVE = 0x200;
    /** Membership: somebody has disconnected. */
    protected static final int CAUSED_BY_DISCONNECT = 0x400;
    /** Membership: daemons have come or gone. */
    protected static final int CAUSED_BY_NETWORK = 0x800;
    /** Membership: the list of members is there. */
    protected static final int REG_MEMB_MESS = 0x1000;
    /** Membership: a transitional signal. */
    protected static final int TRANSITION_MESS = 0x2000;
    /** All bits of memberships. */
    protected static final int MEMBERSHIP_MESS = 0x3f00;
    /** Request to join. */
    protected static final int JOIN_MESS = 0x10000;
    /** Request to leave. */
    protected static final int LEAVE_MESS = 0x20000;
    /** Request to end the connection. */
    protected static final int KILL_MESS = 0x40000;
    /** Between daemons only. */
    protected static final int GROUPS_MESS = 0x80000;
    /** The daemon has refused a request. */
    protected static final int REJECT_MESS = 0x400000;

    private static final int DATA = 1;
    private static final int OBJECT = 2;
    private static final int DIGEST = 3;

    /** What the body is: 1 bytes, 2 an object, 3 a digest; 0 in received messages. */
    protected int content;

    /** The destinations, or the members: {@link SpreadGroup} objects. */
    @SuppressWarnings("rawtypes") // The classic signature.
    protected Vector groups;

    /** The bytes of a digest that is being made, else null. */
    protected ByteArrayOutputStream digestBytes;

    /** Writes {@link #digestBytes}; null until the next object is added. */
    protected ObjectOutputStream digestOutput;

    private final boolean incoming;
    private int serviceType;
    private final SpreadGroup sender;
    private byte[] data;
    private short type;
    private final boolean endianMismatch;
    private final MembershipInfo membershipInfo;

    /** A message to be sent: reliable, of type 0, empty, to nobody yet. */
    public SpreadMessage() {
        incoming = false;
        content = DATA;
        serviceType = RELIABLE_MESS;
        groups = new Vector<SpreadGroup>();
        sender = null;
        data = new byte[0];
        endianMismatch = false;
        membershipInfo = null;
    }

    /**
     * A received message. Nothing is copied.
     *
     * @param serviceType service and other bits
     * @param groups destinations or members
     * @param sender who sent it, or the group of a membership
     * @param data the body
     * @param type the sender's own number
     * @param endianMismatch whether the sender is a little-endian machine that said so
     * @param membershipInfo what a membership message says, else null
     */
    @SuppressWarnings("rawtypes") // The classic signature.
    protected SpreadMessage(
            int serviceType,
            Vector groups,
            SpreadGroup sender,
            byte[] data,
            short type,
            boolean endianMismatch,
            MembershipInfo membershipInfo) {
        this.incoming = true;
        this.serviceType = serviceType;
        this.groups = groups;
        this.sender = sender;
        this.data = data;
        this.type = type;
        this.endianMismatch = endianMismatch;
        this.membershipInfo = membershipInfo;
    }

    /**
     * Whether a service type is one of data.
     *
     * @param serviceType to be looked at
     * @return whether it has a service, and is no reject
     */
    protected static boolean isRegular(int serviceType) {
        return (serviceType & REGULAR_MESS) != 0 && !isReject(serviceType);
    }

    /**
     * Whether a service type is one of a membership.
     *
     * @param serviceType to be looked at
     * @return whether it has any bit of memberships, and is no reject
     */
    protected static boolean isMembership(int serviceType) {
        return (serviceType & MEMBERSHIP_MESS) != 0 && !isReject(serviceType);
    }

    /**
     * Whether a service type is one of a refused request.
     *
     * @param serviceType to be looked at
     * @return whether it is
     */
    protected static boolean isReject(int serviceType) {
        return (serviceType & REJECT_MESS) != 0;
    }

    /**
     * Whether this was received.
     *
     * @return whether it was
     */
    public boolean isIncoming() {
        return incoming;
    }

    /**
     * Whether this was made to be sent.
     *
     * @return whether it was
     */
    public boolean isOutgoing() {
        return !incoming;
    }

    /**
     * Service and other bits.
     *
     * @return all bits
     */
    public int getServiceType() {
        return serviceType;
    }

    /**
     * Whether this is data.
     *
     * @return whether it is
     */
    public boolean isRegular() {
        return isRegular(serviceType);
    }

    /**
     * Whether this is a membership message.
     *
     * @return whether it is
     */
    public boolean isMembership() {
        return isMembership(serviceType);
    }

    /**
     * Whether the daemon has refused this request.
     *
     * @return whether it has
     */
    public boolean isReject() {
        return isReject(serviceType);
    }

    /**
     * The service.
     *
     * @return whether it is unreliable
     */
    public boolean isUnreliable() {
        return has(UNRELIABLE_MESS);
    }

    /**
     * The service.
     *
     * @return whether it is reliable
     */
    public boolean isReliable() {
        return has(RELIABLE_MESS);
    }

    /**
     * The service.
     *
     * @return whether it is FIFO
     */
    public boolean isFifo() {
        return has(FIFO_MESS);
    }

    /**
     * The service.
     *
     * @return whether it is causal
     */
    public boolean isCausal() {
        return has(CAUSAL_MESS);
    }

    /**
     * The service.
     *
     * @return whether it is agreed
     */
    public boolean isAgreed() {
        return has(AGREED_MESS);
    }

    /**
     * The service.
     *
     * @return whether it is safe
     */
    public boolean isSafe() {
        return has(SAFE_MESS);
    }

    /**
     * Whether the sender does not want its message back.
     *
     * @return whether it is so
     */
    public boolean isSelfDiscard() {
        return has(SELF_DISCARD);
    }

    private boolean has(int bit) {
        return (serviceType & bit) != 0;
    }

    /**
     * Sets all bits at once.
     *
     * @param serviceType not checked before the message is sent
     */
    public void setServiceType(int serviceType) {
        this.serviceType = serviceType;
    }

    private void setService(int service) {
        serviceType = serviceType & ~REGULAR_MESS | service;
    }

    /** Sets the service: no guarantee. */
    public void setUnreliable() {
        setService(UNRELIABLE_MESS);
    }

    /** Sets the service: delivered, in any order. */
    public void setReliable() {
        setService(RELIABLE_MESS);
    }

    /** Sets the service: in the order of each sender. */
    public void setFifo() {
        setService(FIFO_MESS);
    }

    /** Sets the service: in causal order. */
    public void setCausal() {
        setService(CAUSAL_MESS);
    }

    /** Sets the service: in the same order for everybody. */
    public void setAgreed() {
        setService(AGREED_MESS);
    }

    /** Sets the service: in the same order, and only once all daemons have the message. */
    public void setSafe() {
        setService(SAFE_MESS);
    }

    /**
     * Whether the sender wants its message back.
     *
     * @param selfDiscard true if it does not
     */
    public void setSelfDiscard(boolean selfDiscard) {
        serviceType = selfDiscard ? serviceType | SELF_DISCARD : serviceType & ~SELF_DISCARD;
    }

    /**
     * Adds a destination.
     *
     * @param group not checked before the message is sent
     */
    @SuppressWarnings("unchecked")
    public void addGroup(SpreadGroup group) {
        groups.addElement(group);
    }

    /**
     * Adds a destination by name.
     *
     * @param group not checked before the message is sent
     */
    public void addGroup(String group) {
        addGroup(new SpreadGroup(null, group));
    }

    /**
     * Adds destinations.
     *
     * @param groups not checked before the message is sent
     */
    public void addGroups(SpreadGroup[] groups) {
        for (SpreadGroup group : groups) {
            addGroup(group);
        }
    }

    /**
     * Adds destinations by name.
     *
     * @param groups not checked before the message is sent
     */
    public void addGroups(String[] groups) {
        for (String group : groups) {
            addGroup(group);
        }
    }

    /**
     * The destinations, or the members.
     *
     * @return a new array
     */
    @SuppressWarnings("unchecked")
    public SpreadGroup[] getGroups() {
        return ((Vector<SpreadGroup>) groups).toArray(new SpreadGroup[0]);
    }

    /**
     * Who sent this.
     *
     * @return the sender's private group, the group of a membership, or null if this was not received
     */
    public SpreadGroup getSender() {
        return sender;
    }

    /**
     * Sets the body.
     *
     * @param data is copied
     */
    public void setData(byte[] data) {
        noDigest(DATA);
        this.data = data.clone();
    }

    /**
     * The body.
     *
     * @return the array that this object works with
     */
    public byte[] getData() {
        if (content == DIGEST) {
            data = digestBytes.toByteArray();
        }
        return data;
    }

    private void noDigest(int now) {
        content = now;
        digestBytes = null;
        digestOutput = null;
    }

    /**
     * Sets the body to one object.
     *
     * @param object may be null
     * @throws SpreadException if it cannot be serialised
     */
    public void setObject(Serializable object) throws SpreadException {
        noDigest(OBJECT);
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        ObjectOutputStream stream;
        try {
            stream = new ObjectOutputStream(bytes);
        } catch (IOException e) {
            throw SpreadException.because("ObjectOutputStream(): ", e);
        }
        try {
            stream.writeObject(object);
            stream.flush();
        } catch (IOException e) {
            throw SpreadException.because("writeObject/flush(): ", e);
        }
        data = bytes.toByteArray();
    }

    /**
     * Adds an object to the body, which becomes a series of objects.
     *
     * @param object may be null
     * @throws SpreadException if it cannot be serialised; the message is as before then
     */
    public void digest(Serializable object) throws SpreadException {
        int contentBefore = content;
        if (contentBefore != DIGEST) {
            digestBytes = new Digest();
            digestOutput = null;
        }
        int lengthBefore = digestBytes.size();
        try {
            if (digestOutput == null) {
                digestOutput = openDigest();
            }
            content = DIGEST;
            digestOutput.writeObject(object);
            digestOutput.flush();
        } catch (IOException | RuntimeException e) {
            if (contentBefore == DIGEST && digestBytes instanceof Digest) {
                ((Digest) digestBytes).cut(lengthBefore);
                // The stream has forgotten its objects: it is resumed with the next one.
                digestOutput = null;
            } else {
                noDigest(contentBefore);
            }
            if (e instanceof RuntimeException) {
                throw (RuntimeException) e;
            }
            throw SpreadException.because("writeObject/flush(): ", e);
        }
    }

    private ObjectOutputStream openDigest() throws IOException {
        return digestBytes.size() == 0 || !(digestBytes instanceof Digest)
                ? new ObjectOutputStream(digestBytes)
                : ((Digest) digestBytes).resume();
    }

    /**
     * The object that the body is, or the first one of a digest.
     *
     * @return may be null
     * @throws SpreadException if the body is nothing of that kind, or of unknown classes
     */
    public Object getObject() throws SpreadException {
        ObjectInputStream stream = open();
        try {
            return stream.readObject();
        } catch (IOException | ClassNotFoundException e) {
            throw SpreadException.because("readObject(): ", e);
        }
    }

    /**
     * All objects of the body.
     *
     * @return a Vector of objects
     * @throws SpreadException if the body is nothing of that kind, or of unknown classes
     */
    @SuppressWarnings("rawtypes") // The classic signature.
    public Vector getDigest() throws SpreadException {
        ObjectInputStream stream = open();
        Vector<Object> objects = new Vector<>();
        try {
            while (true) {
                objects.addElement(stream.readObject());
            }
        } catch (EOFException e) {
            return objects;
        } catch (IOException | ClassNotFoundException e) {
            throw SpreadException.because("readObject(): ", e);
        }
    }

    private ObjectInputStream open() throws SpreadException {
        try {
            return new ObjectInputStream(new ByteArrayInputStream(getData()));
        } catch (IOException e) {
            throw SpreadException.because("ObjectInputStream(): ", e);
        }
    }

    /**
     * The sender's own number; in regular memberships the index of the own private group among the
     * members.
     *
     * @return -1 in other memberships
     */
    public short getType() {
        return type;
    }

    /**
     * Sets the sender's own number.
     *
     * @param type any number
     */
    public void setType(short type) {
        this.type = type;
    }

    /**
     * Whether the sender has written the message on a little-endian machine, and as such. Java clients
     * count as big-endian everywhere, so this is true for messages of C programs on usual machines.
     *
     * @return whether it is so
     */
    public boolean getEndianMismatch() {
        return endianMismatch;
    }

    /**
     * What a membership message says.
     *
     * @return null if this is none
     */
    public MembershipInfo getMembershipInfo() {
        return membershipInfo;
    }

    /**
     * A message to be sent with the same service type, destinations, type and body.
     *
     * @return a SpreadMessage
     */
    @Override
    @SuppressWarnings("unchecked")
    public Object clone() {
        SpreadMessage copy = new SpreadMessage();
        copy.content = content;
        copy.serviceType = serviceType;
        copy.groups = (Vector<SpreadGroup>) groups.clone();
        copy.type = type;
        copy.data = data.clone();
        if (content == DIGEST) {
            copy.digestBytes = new Digest(digestBytes.toByteArray());
        }
        return copy;
    }
}
