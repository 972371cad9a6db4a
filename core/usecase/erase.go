package usecase

// JobErase is the kind of the job that erases what tells of people from one order, as soon as nobody works on it. Its key is the order's id.
// Those put it who find that the order has grown old, or who erase what it belongs to.
const JobErase = "erase"
