package spread;

/** Makes messages after a model. */
public class MessageFactory {

    /** The model, or null. */
    protected SpreadMessage defaultMessage;

    /**
     * With a model.
     *
     * @param message is copied; later changes to it make no difference. May be null
     */
    public MessageFactory(SpreadMessage message) {
        setDefault(message);
    }

    /**
     * Sets another model.
     *
     * @param message is copied; later changes to it make no difference. May be null
     */
    public void setDefault(SpreadMessage message) {
        defaultMessage = message == null ? null : (SpreadMessage) message.clone();
    }

    /**
     * A new message.
     *
     * @return a copy of the model, or null if that is null
     */
    public SpreadMessage createMessage() {
        return defaultMessage == null ? null : (SpreadMessage) defaultMessage.clone();
    }
}
